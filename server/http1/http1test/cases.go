// Package http1test has requests that a strict server refuses, and some that it
// must not, for the tests of all that parse them.
package http1test

import "strings"

// A Case is the head of a request.
type Case struct {
	Name    string
	Request string
	Status  int // of the refusal, 0 if the head is good
}

// Cases are the cases of h1spec (https://github.com/uNetworking/h1spec), the ways to
// smuggle requests (https://portswigger.net/web-security/request-smuggling and RFC 9112
// §11.2), and cases for the rules that these break. Each has the path / and the host h.
var Cases = []Case{
	// Good.
	get("plain", 0, "Host: h"),
	get("an empty value", 0, "Host: h", "X-Empty:"),
	get("obs-text", 0, "Host: h", "X: caf\xe9"),
	get("an underscore in a name", 0, "Host: h", "X_Forwarded_For: 1.2.3.4"),
	get("a name of all that a token has", 0, "Host: h", "!#$%&'*+-.^_`|~09azAZ: x"),
	get("tabs in and around a value", 0, "Host:\th\t", "X:a\tb"),
	get("a port", 0, "Host: h:4000"),
	get("an IPv6 host", 0, "Host: [::1]:4000"),
	line("an empty line before", 0, "\r\nGET / HTTP/1.1"),
	line("absolute form", 0, "GET http://h/ HTTP/1.1"),
	line("HTTP/1.0", 0, "GET / HTTP/1.0"),
	{"HTTP/1.0 without a host", "GET / HTTP/1.0\r\n\r\n", 0},

	// Request lines: RFC 9112 §3.
	line("HTTP/0.9", 400, "GET /"),
	line("no target", 400, "GET HTTP/1.1"),
	line("an empty target", 400, "GET  HTTP/1.1"),
	line("no method", 400, " / HTTP/1.1"),
	line("two spaces after the method", 400, "GET  / HTTP/1.1"),
	line("two spaces after the target", 400, "GET /  HTTP/1.1"),
	line("a space at the end", 400, "GET / HTTP/1.1 "),
	line("a space at the beginning", 400, " GET / HTTP/1.1"),
	line("a space in the target", 400, "GET /a b HTTP/1.1"),
	line("a tab for a space", 400, "GET\t/\tHTTP/1.1"),
	line("a vertical tab for a space", 400, "GET /\x0bHTTP/1.1"),
	line("NUL in the target", 400, "GET /\x00 HTTP/1.1"),
	line("CR in the target", 400, "GET /\rx HTTP/1.1"),
	line("DEL in the target", 400, "GET /\x7f HTTP/1.1"),
	line("a method that is no token", 400, "G(T / HTTP/1.1"),
	line("something before the request line", 400, "Extra lineGET / HTTP/1.1"),
	line("a version in lower case", 400, "GET / http/1.1"),
	line("a version of two digits", 400, "GET / HTTP/1.10"),
	line("a version without a dot", 400, "GET / HTTP/11"),
	line("another protocol", 400, "GET / ICAP/1.1"),
	line("HTTP/9.9", 505, "GET / HTTP/9.9"),
	line("HTTP/2", 505, "PRI * HTTP/2.0"),
	line("HTTP/0.9 with its number", 505, "GET / HTTP/0.9"),
	line("two empty lines before", 400, "\r\n\r\nGET / HTTP/1.1"),
	line("an empty line of LF before", 400, "\nGET / HTTP/1.1"),

	// Targets: RFC 9112 §3.2.
	line("a target that is no path", 400, "GET path HTTP/1.1"),
	line("a fragment", 400, "GET /#a HTTP/1.1"),
	line("half an escape", 400, "GET /%4 HTTP/1.1"),
	line("a false escape", 400, "GET /%zz HTTP/1.1"),
	line("a GET of the whole server", 400, "GET * HTTP/1.1"),
	line("more than the whole server", 400, "OPTIONS *a HTTP/1.1"),
	line("CONNECT", 501, "CONNECT h:443 HTTP/1.1"),
	line("CONNECT to a path", 501, "CONNECT / HTTP/1.1"),
	line("authority form", 400, "GET h:443 HTTP/1.1"),
	line("another scheme", 400, "GET ftp://h/ HTTP/1.1"),
	line("no host in the target", 400, "GET http:///a HTTP/1.1"),
	line("no authority in the target", 400, "GET http:a HTTP/1.1"),
	line("a user in the target", 400, "GET http://evil@h/ HTTP/1.1"),
	line("a false port in the target", 400, "GET http://h:x/ HTTP/1.1"),

	// Hosts: RFC 9112 §3.2.
	get("no Host", 400),
	get("two Hosts", 400, "Host: h", "Host: h"),
	get("two Hosts in any case", 400, "Host: h", "hOST: evil"),
	get("a space in the Host", 400, "Host: a b"),
	get("two hosts in one", 400, "Host: h, evil"),
	get("a path in the Host", 400, "Host: h/evil"),
	get("a user in the Host", 400, "Host: evil@h"),
	get("a false port", 400, "Host: h:x"),
	get("a port too large", 400, "Host: h:123456"),
	get("two ports", 400, "Host: h:1:2"),
	get("half an IPv6 address", 400, "Host: [::1"),
	get("an IPv6 address without brackets", 400, "Host: ::1"),
	get("brackets around nothing", 400, "Host: []"),
	get("brackets around a name", 400, "Host: [h]"),
	get("a zone", 400, "Host: [fe80::1%25eth0]"),
	get("something behind the brackets", 400, "Host: [::1]x"),
	get("a host beyond ASCII", 400, "Host: h\xf6st"),
	get("a space before the colon of the Host", 400, "Host : h"),
	{"an absolute target and no Host", "GET http://h/ HTTP/1.1\r\n\r\n", 400},
	{"an absolute target and a false Host", "GET http://h/ HTTP/1.1\r\nHost: a b\r\n\r\n", 400},

	// Field lines: RFC 9112 §5, RFC 9110 §5.
	get("a space before the colon", 400, "Host: h", "X : b"),
	get("a tab before the colon", 400, "Host: h", "X\t: b"),
	get("a space before the name", 400, "Host: h", " X: b"),
	get("a folded line", 400, "Host: h", "X: a", " b"),
	get("a folded first line", 400, " Host: h"),
	get("a folded line of nothing", 400, "Host: h", "X: a", " "),
	get("no colon", 400, "Host: h", "X"),
	get("no name", 400, "Host: h", ": x"),
	get("brackets in a name", 400, "Host: h", "X-Invalid[]: x"),
	get("NUL in a name", 400, "Host: h", "X\x00: x"),
	get("a name beyond ASCII", 400, "Host: h", "\xc3\xa4: x"),
	get("CR in a name", 400, "Host: h", "X\r: x"),
	get("NUL in a value", 400, "Host: h", "X: a\x00b"),
	get("a bell in a value", 400, "Host: h", "X: a\x07"),
	get("DEL in a value", 400, "Host: h", "X: a\x7f"),
	get("CR in a value", 400, "Host: h", "X: a\rb"),
	get("CR at the end of a value", 400, "Host: h", "X: a\r"),
	get("CR before a name", 400, "Host: h", "\rX: a"),
	get("129 field lines", 431, append([]string{"Host: h"}, repeated("X: x", 128)...)...),
	get("128 field lines", 0, append([]string{"Host: h"}, repeated("X: x", 127)...)...),

	// Ends of lines: RFC 9112 §2.2.
	{"LF only", "GET / HTTP/1.1\nHost: h\n\n", 400},
	{"LF behind the request line", "GET / HTTP/1.1\nHost: h\r\n\r\n", 400},
	{"LF behind a field", "GET / HTTP/1.1\r\nHost: h\nX: x\r\n\r\n", 400},
	{"LF for the blank line", "GET / HTTP/1.1\r\nHost: h\r\n\n", 400},
	{"CR only", "GET / HTTP/1.1\rHost: h\r\r\r\n\r\n", 400},
	{"a CR too many", "GET / HTTP/1.1\r\r\nHost: h\r\n\r\n", 400},
	{"CR for the blank line", "GET / HTTP/1.1\r\nHost: h\r\n\rX: x\r\n\r\n", 400},

	// Fields that there can be one of.
	get("two Origins", 400, "Host: h", "Origin: http://h", "Origin: http://evil"),
	get("two keys", 400, "Host: h", "Sec-WebSocket-Key: a", "Sec-WebSocket-Key: b"),
	get("two versions", 400, "Host: h", "Sec-WebSocket-Version: 13", "sec-websocket-version: 8"),
	get("two Upgrades", 400, "Host: h", "Upgrade: websocket", "Upgrade: h2c"),

	// Lengths: RFC 9112 §6.
	post("a length", 0, "Content-Length: 0"),
	post("zeros before a length", 0, "Content-Length: 000"),
	post("chunked", 0, "Transfer-Encoding: chunked"),
	post("chunked in any case", 0, "tRANSFER-eNCODING: cHUNKED"),
	post("a space before the colon of a length", 400, "Content-Length : 60"),
	post("two lengths", 400, "Content-Length: 3", "Content-Length: 4"),
	post("a length twice", 400, "Content-Length: 3", "Content-Length: 3"),
	post("two lengths in one", 400, "Content-Length: 3, 4"),
	post("a length twice in one", 400, "Content-Length: 3, 3"),
	post("no length", 400, "Content-Length:"),
	post("a negative length", 400, "Content-Length: -3"),
	post("a negative length that overflows", 400, "Content-Length: -99999999999999999999"),
	post("a length that overflows", 400, "Content-Length: 99999999999999999999"),
	post("a sign", 400, "Content-Length: +3"),
	post("a hexadecimal length", 400, "Content-Length: 0x3"),
	post("a fraction", 400, "Content-Length: 3.0"),
	post("a length with a separator", 400, "Content-Length: 1_0"),
	post("a length beyond ASCII", 400, "Content-Length: \xd9\xa3"),
	post("something behind a length", 400, "Content-Length: 3 x"),
	post("a folded length", 400, "Content-Length:", " 3"),
	post("CL.TE", 400, "Content-Length: 6", "Transfer-Encoding: chunked"),
	post("TE.CL", 400, "Transfer-Encoding: chunked", "Content-Length: 6"),
	post("TE.CL with no length", 400, "Transfer-Encoding: chunked", "Content-Length: 0"),
	post("chunked twice", 400, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
	post("chunked twice in one", 400, "Transfer-Encoding: chunked, chunked"),
	post("TE.TE: chunked and another", 400, "Transfer-Encoding: chunked", "Transfer-Encoding: x"),
	post("TE.TE: another and chunked", 400, "Transfer-Encoding: x", "Transfer-Encoding: chunked"),
	post("TE.TE: xchunked", 400, "Transfer-Encoding: xchunked"),
	post("TE.TE: a space before the colon", 400, "Transfer-Encoding : chunked"),
	post("TE.TE: a tab before the value", 0, "Transfer-Encoding:\tchunked"),
	post("TE.TE: a vertical tab before the value", 400, "Transfer-Encoding:\x0bchunked"),
	post("TE.TE: a form feed behind the value", 400, "Transfer-Encoding: chunked\x0c"),
	post("TE.TE: quotes", 400, `Transfer-Encoding: "chunked"`),
	post("TE.TE: a space before the name", 400, " Transfer-Encoding: chunked"),
	post("TE.TE: a value that hides it", 400, "X: X\nTransfer-Encoding: chunked"),
	post("TE.TE: a name that hides it", 400, "X\x00Transfer-Encoding: chunked"),
	post("TE.TE: a folded value", 400, "Transfer-Encoding:", " chunked"),
	post("TE.TE: nothing", 400, "Transfer-Encoding:"),
	post("TE.TE: a comma before", 400, "Transfer-Encoding: , chunked"),
	post("TE.TE: a comma behind", 400, "Transfer-Encoding: chunked,"),
	post("TE.TE: a parameter", 400, "Transfer-Encoding: chunked;a=b"),
	post("TE.TE: beyond ASCII", 400, "Transfer-Encoding: chunked\xa0"),
	post("TE.TE: identity", 400, "Transfer-Encoding: identity"),
	post("chunked and then another coding", 400, "Transfer-Encoding: chunked, gzip"),
	post("another coding and then chunked", 501, "Transfer-Encoding: gzip, chunked"),
	post("a trailer that is a length", 400, "Transfer-Encoding: chunked", "Trailer: x, Content-Length"),
	{"chunked in HTTP/1.0", "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
	{"CL.TE in HTTP/1.0", "POST / HTTP/1.0\r\nHost: h\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
}

func get(name string, status int, fields ...string) Case { return head(name, status, "GET", fields) }

func post(name string, status int, fields ...string) Case {
	return head("POST with "+name, status, "POST", append([]string{"Host: h"}, fields...))
}

func head(name string, status int, method string, fields []string) Case {
	return Case{name, strings.Join(append([]string{method + " / HTTP/1.1"}, fields...), "\r\n") + "\r\n\r\n", status}
}

// line is a request with this request line.
func line(name string, status int, line string) Case {
	return Case{name, line + "\r\nHost: h\r\n\r\n", status}
}

func repeated(s string, n int) []string { return strings.Split(strings.Repeat(s+"\n", n-1)+s, "\n") }
