package chat

import (
	"crypto/sha256"
	"crypto/subtle"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/presence"
)

// An admin is the listener for operators.
type admin struct {
	aside // without a token it is open, and so for this host only

	start func() Board // or nil
	board Board        // nil before listen, and without start
}

// A Board shows operators what goes on. It is an interface for the reason that [Tracer] is
// one; package server/live has it.
type Board interface {
	// Telemetry counts what an endpoint does.
	Telemetry() *phx.Telemetry

	// Open returns what answers for the page and the metrics, and passes others on.
	Open(ep *phx.Endpoint, here *presence.Presence, others http.Handler) (http.Handler, error)

	// Close comes after the endpoint's Shutdown.
	Close()
}

// flags are of the listener for operators.
func (a *admin) flags(flags *flag.FlagSet) {
	flags.StringVar(&a.addr, "admin", "", "`HOST:PORT` on which to serve metrics, health and profiles to operators, such as 127.0.0.1:9000; default nowhere; see above")
	flags.StringVar(&a.token, "admin-token", "", "`token` that -admin requires, at least 16 characters")
}

// check says what is wrong. The token is from there, in words.
func (a *admin) check(from string) error {
	if a.addr == "" {
		return nil
	}
	if err := checkHostPort("admin", a.addr, ""); err != nil {
		return err
	}
	host, _, _ := net.SplitHostPort(a.addr) // checked
	if a.token == "" && !isLoopback(host) {
		return fmt.Errorf("-admin is %q, which others can reach, and there is no token: set ROOST_ADMIN_TOKEN, or choose a loopback address such as 127.0.0.1:9000", a.addr)
	}
	return a.checkToken(from)
}

// isLoopback reports whether a host is an address that only this host can reach.
func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

// listen takes the address, if there is one. Connections wait until serve.
func (a *admin) listen(log *slog.Logger) error {
	if err := a.aside.listen("admin", log); a.ln == nil {
		return err
	}
	if a.start != nil {
		a.board = a.start()
	}
	log.Info("admin", "url", fmt.Sprintf("http://%s/", a.ln.Addr()), "token", a.token != "")
	return nil
}

// telemetry is nil without an address: then nothing is counted.
func (a *admin) telemetry() *phx.Telemetry {
	if a.board == nil {
		return nil
	}
	return a.board.Telemetry()
}

// serve answers until stop, which comes after the endpoint's Shutdown: a drain is seen.
func (a *admin) serve(ep *phx.Endpoint, here *presence.Presence) (err error) {
	if a.ln == nil {
		return nil
	}
	inside := ep.AdminHandler()
	if a.board != nil {
		if inside, err = a.board.Open(ep, here, inside); err != nil {
			return fmt.Errorf("the page of -admin: %w", err)
		}
	}
	a.aside.serve(a.handler(ep, inside))
	return nil
}

func (a *admin) stop() {
	if a.board != nil {
		a.board.Close()
	}
	a.aside.stop()
}

func (a *admin) handler(ep *phx.Endpoint, operators http.Handler) http.Handler {
	inside := http.NewServeMux()
	inside.Handle("/", operators)
	inside.Handle("/debug/pprof/", profiles())
	mux := http.NewServeMux()
	mux.Handle("/", a.guard(inside))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answerProbe(w, nil) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { answerProbe(w, ep.Ready()) })
	return mux
}

// answerProbe says what is wrong, if anything is.
func answerProbe(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(w, "ok\n") // who is gone needs no answer
}

// guard asks for the token, as a bearer's or, for browsers, as the password of whoever.
// Without one, all must be for a name of this host.
func (a *admin) guard(inside http.Handler) http.Handler {
	if a.token == "" {
		return local(inside)
	}
	want := sha256.Sum256([]byte(a.token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := sha256.Sum256([]byte(tokenOf(r))) // of one length, whatever it is
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header()["Www-Authenticate"] = []string{"Bearer", `Basic realm="Roost: any name, and the token"`}
			http.Error(w, "the token is missing or wrong", http.StatusUnauthorized)
			return
		}
		inside.ServeHTTP(w, r)
	})
}

// local lets through what is for a name of this host only: a page in an operator's
// browser may have a name of its own lead here (DNS rebinding).
func local(inside http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLoopback(hostOf(r)) {
			http.Error(w, "ask for localhost or a loopback address", http.StatusMisdirectedRequest)
			return
		}
		inside.ServeHTTP(w, r)
	})
}

// tokenOf is the token that a request has, if any.
func tokenOf(r *http.Request) string {
	if token, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); isBearer {
		return token
	}
	_, password, _ := r.BasicAuth()
	return password
}

// hostOf is the host that a request is for, without its port.
func hostOf(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.Host); err == nil {
		return host
	}
	return r.Host
}
