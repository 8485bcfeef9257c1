package phx_test

import (
	"encoding/json"
	"testing"

	"github.com/roost-rt/roost/server/phx"
)

// What the log shows of parameters and payloads; the first two are known answers
// of Phoenix (spec appendix B).
func TestFilter(t *testing.T) {
	for _, tt := range []struct {
		name     string
		filter   phx.Filter
		in, want string
	}{
		{"discard", phx.Filter{Discard: []string{"password", "token"}},
			`{"password":"x","my_token_id":"y","a":{"token":1},"q":"x token=abc","ok":1}`,
			`{"password":"[FILTERED]","my_token_id":"[FILTERED]","a":{"token":"[FILTERED]"},"q":"[FILTERED]","ok":1}`},
		{"keep", phx.Filter{Keep: []string{"id", "order"}},
			`{"id":"x","b":{"id":1,"c":2},"order":{"z":1}}`,
			`{"id":"x","b":{"id":1,"c":"[FILTERED]"},"order":{"z":1}}`},
		{"default", phx.Filter{}, `{"password":1,"token":{"a":1},"user":"x"}`, `{"password":"[FILTERED]","token":"[FILTERED]","user":"x"}`},
		{"secret by its name", phx.Filter{},
			`{"PassWord":1,"passwort":2,"client_SECRET":3,"csrfToken":4,"private_key":5,"apiKey":6,"X-Api-Key":7,"Authorization":8,"Set-Cookie":9,"OTP":10,"ssn":11,"CVV2":12,"monkey":13,"key":14,"name":15}`,
			`{"PassWord":"[FILTERED]","passwort":"[FILTERED]","client_SECRET":"[FILTERED]","csrfToken":"[FILTERED]","private_key":"[FILTERED]","apiKey":"[FILTERED]","X-Api-Key":"[FILTERED]","Authorization":"[FILTERED]","Set-Cookie":"[FILTERED]","OTP":"[FILTERED]","ssn":"[FILTERED]","CVV2":"[FILTERED]","monkey":13,"key":14,"name":15}`},
		{"case does not matter", phx.Filter{Discard: []string{"Pin"}}, `{"pin":1,"PIN":2,"password":3}`, `{"pin":"[FILTERED]","PIN":"[FILTERED]","password":3}`},
		{"texts", phx.Filter{}, `["a=1&User[Password]=2","a=token","a=secret&b=2","one's Cookie = 2","x=1;api_key=2","secret"]`,
			`["[FILTERED]","a=token","a=secret&b=2","[FILTERED]","[FILTERED]","secret"]`},
		{"lists", phx.Filter{}, `[{"token":1},["password=x","password"],null]`, `[{"token":"[FILTERED]"},["[FILTERED]","password"],null]`},
		{"nothing", phx.Filter{Discard: []string{}}, `{"password":"token=1"}`, `{"password":"token=1"}`},
		{"keep nothing", phx.Filter{Keep: []string{}}, `{"a":[1,{"b":null}],"c":{}}`, `{"a":["[FILTERED]",{"b":"[FILTERED]"}],"c":{}}`},
		{"keep is exact", phx.Filter{Keep: []string{"id"}}, `{"ids":1,"i":2,"id":["token=1",{"x":2}]}`, `{"ids":"[FILTERED]","i":"[FILTERED]","id":["token=1",{"x":2}]}`},
		{"a text alone", phx.Filter{}, `"a=1&password=2"`, `"[FILTERED]"`},
		{"a number alone", phx.Filter{Keep: []string{"id"}}, `7`, `"[FILTERED]"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var in any
			if err := json.Unmarshal([]byte(tt.in), &in); err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(tt.filter.Apply(in))
			if err != nil {
				t.Fatal(err)
			}
			if !sameJSON(t, string(got), tt.want) {
				t.Errorf("Apply(%s) = %s, want %s", tt.in, got, tt.want)
			}
			if unchanged, _ := json.Marshal(in); !sameJSON(t, string(unchanged), tt.in) {
				t.Errorf("Apply made %s of its argument %s", unchanged, tt.in)
			}
		})
	}
}

// Connect parameters are nested maps of their own type.
func TestFilterParams(t *testing.T) {
	got, err := json.Marshal(phx.Filter{}.Apply(phx.Params{"token": "x", "a": map[string]any{"password": "y", "b": "z"}}))
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"a":{"b":"z","password":"[FILTERED]"},"token":"[FILTERED]"}`; string(got) != want {
		t.Errorf("Apply = %s, want %s", got, want)
	}
}
