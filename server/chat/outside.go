package chat

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/roost-rt/roost/server/api"
	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/presence"
)

// An outside is the listener for other programs of the application.
type outside struct{ aside }

func (o *outside) flags(f *flag.FlagSet) {
	f.StringVar(&o.addr, "api", "", "`HOST:PORT` where other programs broadcast, list topics and presences, and close sockets, over HTTP; requires ROOST_API_TOKEN; GET /openapi.yaml there describes it; default nowhere")
	f.StringVar(&o.token, "api-token", "", fmt.Sprintf("`token` that -api requires, at least %d characters", api.MinToken))
}

// check says what is wrong. The token is from there, in words.
func (o *outside) check(from string) error {
	switch {
	case o.addr == "":
		return nil
	case o.token == "":
		return fmt.Errorf("-api is %q, and there is no token: set ROOST_API_TOKEN", o.addr)
	}
	return errors.Join(o.checkToken(from), checkHostPort("api", o.addr, ""))
}

// listen takes the address, if there is one. Connections wait until serve.
func (o *outside) listen(log *slog.Logger) error {
	if err := o.aside.listen("api", log); o.ln == nil {
		return err
	}
	log.Info("api", "url", fmt.Sprintf("http://%s/", o.ln.Addr()))
	return nil
}

func (o *outside) serve(ep *phx.Endpoint, here *presence.Presence, around func(http.Handler) http.Handler) error {
	if o.ln == nil {
		return nil
	}
	handler, err := api.New(ep, api.Config{Token: o.token, Presence: here})
	if err := errors.Join(err, here.Attach(ep)); err != nil {
		return err
	}
	o.aside.serve(around(handler))
	return nil
}
