package cluster

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
)

// A Config says how a node finds the others. The zero value joins the nodes
// that use a NATS server on the same host.
type Config struct {
	// URL is the NATS server, or several servers of one NATS cluster, separated by
	// commas: "nats://user:password@host:4222". Empty means nats://127.0.0.1:4222. Logs
	// and errors show it without user and password.
	URL string `json:"-"`

	// Cluster keeps clusters that share a NATS server apart: letters, digits, - and _.
	// Empty means "default".
	Cluster string

	// Node is the name of this node, at most 255 bytes of UTF-8. It must be unique. Empty means
	// host name and process id: "host-4711".
	Node string

	// Secret signs the messages between nodes: at least 20 random bytes, the same on
	// all nodes. A message that is not signed with it, or was sent before and is sent
	// again, is dropped and counted. Clocks may differ by a minute. Empty means that
	// nothing is signed.
	Secret string `json:"-"`

	// MaxPending is how many bytes of messages may wait for the link, with 128 bytes of
	// overhead for each. Further messages are refused with pubsub.ErrOverloaded, or, if
	// the link is down, dropped and counted. Zero means 64 MiB.
	MaxPending int

	// MaxWait is how long a message may wait for the link, or for this node to deliver
	// the messages before it, until it is dropped and counted. It is also how long a
	// node waits for missing broadcasts. Zero means 30 s.
	MaxWait time.Duration

	// MaxKept is how many bytes of broadcasts are kept after they were sent, with 128
	// bytes of overhead for each, and for up to 2 × MaxWait: nodes that miss some ask
	// for them. Zero means 64 MiB.
	MaxKept int

	// MaxInbound is how many bytes of messages may wait to be delivered here. It
	// applies separately to messages for all nodes, messages for this one, messages
	// sent again, and messages that arrived before their turn. Beyond it, broadcasts
	// are asked for later; other messages are dropped and counted. Zero means 64 MiB.
	MaxInbound int

	// Beat is how often a node announces itself. A node that is silent for three beats
	// counts as gone. All nodes need the same value. Zero means 5 s.
	Beat time.Duration

	// Logger gets events of the link and the cluster. Nothing waits for its handler;
	// see asynclog.Handler, which it may be itself. Nil means slog.Default.
	Logger *slog.Logger `json:"-"`

	// Credentials are files that NATS asks for, or none. Bad ones fail at Start.
	Credentials

	// Carrier transports messages to other nodes in place of NATS: package redis has
	// one. URL, Credentials and Options are then unused. Nil means NATS.
	Carrier Carrier `json:"-"`

	// Options are additional options for the NATS client.
	Options []nats.Option `json:"-"`
}

func (c Config) withDefaults() Config {
	c.URL = cmp.Or(c.URL, nats.DefaultURL)
	c.Cluster = cmp.Or(c.Cluster, "default")
	c.Node = cmp.Or(c.Node, hostProcess())
	c.MaxPending = cmp.Or(c.MaxPending, 64<<20)
	c.MaxWait = cmp.Or(c.MaxWait, 30*time.Second)
	c.MaxKept = cmp.Or(c.MaxKept, 64<<20)
	c.MaxInbound = cmp.Or(c.MaxInbound, 64<<20)
	c.Beat = cmp.Or(c.Beat, 5*time.Second)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	return c
}

// hostProcess is a name that no other process has at the same time.
func hostProcess() string {
	host, err := os.Hostname()
	if err != nil {
		host = "node"
	}
	return fmt.Sprintf("%s-%d", host, os.Getpid())
}

// Check returns the error that [Link.Start] would return for c whatever the network
// does. It reads the files of Credentials, and connects to nothing.
func (c Config) Check() error { return c.withDefaults().check() }

func (c Config) check() error {
	notInName := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}
	switch {
	case strings.ContainsFunc(c.Cluster, notInName):
		return fmt.Errorf("cluster: Config.Cluster is %q: use only letters, digits, - and _", c.Cluster)
	case len(c.Node) > maxName:
		return fmt.Errorf("cluster: Config.Node has %d bytes: use at most %d", len(c.Node), maxName)
	case !utf8.ValidString(c.Node):
		return fmt.Errorf("cluster: Config.Node is %q: use UTF-8", c.Node)
	case c.Secret != "" && len(c.Secret) < fewestSecret:
		return fmt.Errorf("cluster: Config.Secret has %d bytes: use at least %d random ones", len(c.Secret), fewestSecret)
	case c.MaxPending < 0 || c.MaxWait < 0 || c.MaxKept < 0 || c.MaxInbound < 0 || c.Beat < 0:
		return errors.New("cluster: Config.MaxPending, MaxWait, MaxKept, MaxInbound or Beat is negative: use 0 for the default")
	}
	if c.Carrier != nil {
		if its, ok := c.Carrier.(interface{ Check() error }); ok {
			return its.Check()
		}
		return nil // Connect checks what is its own
	}
	if _, err := c.where(); err != nil {
		return err
	}
	_, err := c.Credentials.options()
	return err
}

// webSockets are the schemes of NATS over WebSockets, and the others those without.
var webSockets = map[string]bool{"nats": false, "tls": false, "ws": true, "wss": true}

// where is the URL without what is secret in it.
func (c Config) where() (string, error) {
	var hosts []string
	first := ""
	for part := range strings.SplitSeq(c.URL, ",") {
		part = strings.TrimSpace(part)
		if !strings.Contains(part, "://") {
			part = "nats://" + part
		}
		u, err := url.Parse(part)
		if err == nil {
			_, err = net.LookupPort("tcp", u.Port()) // of none it is 0
		}
		if err != nil || u.Host == "" {
			// The error is left out: it shows the password.
			return "", errors.New("cluster: Config.URL cannot be read: use the form nats://user:password@host:4222")
		}
		over, known := webSockets[u.Scheme]
		if !known {
			return "", fmt.Errorf("cluster: Config.URL begins with %s: a NATS server is at nats://, tls://, ws:// or wss://", u.Scheme)
		}
		if first = cmp.Or(first, u.Scheme); over != webSockets[first] {
			return "", fmt.Errorf("cluster: Config.URL has both %s:// and %s://: all servers are over WebSockets, or none is", first, u.Scheme)
		}
		hosts = append(hosts, u.Scheme+"://"+u.Host)
	}
	return strings.Join(hosts, ","), nil
}
