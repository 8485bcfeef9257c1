package main

import (
	"fmt"
	"path/filepath"
)

// files is how many files one process in front may open: two for each client.
const files = 20_000

// nginx returns a configuration of one worker that passes WebSockets on, with the defaults
// for everything else. Its folder is this run's.
func nginx(secure bool) func(port int, to, folder string) string {
	return func(port int, to, folder string) string {
		listen := fmt.Sprintf("listen 127.0.0.1:%d backlog=4096;", port)
		if secure {
			listen = fmt.Sprintf("listen 127.0.0.1:%d ssl backlog=4096; ssl_certificate %s; ssl_certificate_key %s;", port, certFile(folder), keyFile(folder))
		}
		at := func(name string) string { return filepath.Join(folder, name) }
		return fmt.Sprintf(`daemon off;
worker_processes 1;
worker_rlimit_nofile %d;
pid %s;
error_log stderr error;
events { worker_connections %d; }
http {
	access_log off;
	client_body_temp_path %s; proxy_temp_path %s; fastcgi_temp_path %s; uwsgi_temp_path %s; scgi_temp_path %s;
	server {
		%s
		location / {
			proxy_pass http://%s;
			proxy_http_version 1.1;
			proxy_set_header Host $host;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection upgrade;
			proxy_read_timeout 1h;
			proxy_send_timeout 1h;
		}
	}
}
`, files, at("nginx.pid"), files-100, at("body"), at("proxy"), at("fastcgi"), at("uwsgi"), at("scgi"), listen, to)
	}
}

func nginxCommand(config string) []string {
	return []string{"nginx", "-e", "stderr", "-c", config, "-p", filepath.Dir(config)}
}

// haproxy is a configuration of one thread.
func haproxy(secure bool) func(port int, to, folder string) string {
	return func(port int, to, folder string) string {
		ssl := ""
		if secure {
			ssl = " ssl crt " + bothFile(folder)
		}
		return fmt.Sprintf(`global
	maxconn %d
	nbthread 1
defaults
	mode http
	timeout connect 5s
	timeout client 1m
	timeout server 1m
	timeout tunnel 1h
frontend clients
	bind 127.0.0.1:%d%s backlog 4096
	default_backend roost
backend roost
	server roost %s
`, files/2-100, port, ssl, to)
	}
}

func haproxyCommand(config string) []string { return []string{"haproxy", "-db", "-f", config} }
