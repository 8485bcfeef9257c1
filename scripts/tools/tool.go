package main

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A tool is a load generator with the job that it does here: clients that join a room
// and hear what is said there.
type tool struct {
	name   string
	says   string // a description, for the report
	writes bool   // it says what is said, too; for others a client of ours does
	erlang bool   // it needs Erlang's port mapper

	// command returns the program to start, with files in a folder of its own.
	command func(j job) (args, env []string, err error)

	// account reads the tool's counts from its standard output and its folder.
	account func(stdout []byte, j job) (account, error)
}

// A job is one run.
type job struct {
	options
	clients int
	url     string // ws://host:port of the server
	folder  string // for what the tool reads and writes
}

// An account holds the counts that a tool reports.
type account struct {
	Joined   int64  `json:"joined"`
	Receipts int64  `json:"receipts"` // of broadcasts, over all clients
	Unit     string `json:"unit"`     // what it counts as receipts; "" is messages
}

// tools are all, in the order of their turns.
var tools = []tool{
	{name: "roost", says: "`loadtest chat`: one process of clients, each message known by its stamp", writes: true, command: roostCommand, account: roostAccount},
	{name: "k6", says: "k6 with a virtual user for each client, as its examples have it", command: k6Command(1), account: k6Account},
	{name: "k6-shared", says: "k6 with 100 clients in each virtual user", command: k6Command(100), account: k6Account},
	{name: "tsung", says: "tsung in its controller's Erlang machine", erlang: true, command: tsungCommand, account: tsungAccount},
}

func names() (list []string) {
	for _, t := range tools {
		list = append(list, t.name)
	}
	return list
}

func roostCommand(j job) (args, env []string, err error) {
	return j.chat(j.clients), nil, nil
}

// chat is a run of the load generator.
func (j job) chat(clients int) []string {
	return []string{j.loadtest, "chat", "-url", j.url, "-clients", strconv.Itoa(clients),
		"-messages", strconv.Itoa(j.messages), "-rate", "2", "-json", "-"}
}

func roostAccount(stdout []byte, j job) (a account, err error) {
	var result struct {
		Summary struct{ Joined, Delivered int64 }
	}
	err = json.Unmarshal(stdout, &result)
	return account{Joined: result.Summary.Joined, Receipts: result.Summary.Delivered}, err
}

//go:embed k6.js
var k6Script []byte

func k6Command(sockets int) func(job) ([]string, []string, error) {
	return func(j job) (args, env []string, err error) {
		script := filepath.Join(j.folder, "k6.js")
		env = []string{"URL=" + j.url, fmt.Sprint("CLIENTS=", j.clients), fmt.Sprint("SOCKETS=", sockets), fmt.Sprint("MESSAGES=", j.messages), "K6_NO_USAGE_REPORT=true"}
		return []string{j.k6, "run", "--quiet", "--address", "127.0.0.1:0", script}, env, os.WriteFile(script, k6Script, 0o600)
	}
}

// k6Account reads the last line, which the script has made.
func k6Account(stdout []byte, _ job) (a account, err error) {
	text := bytes.TrimSpace(stdout)
	return a, json.Unmarshal(text[bytes.LastIndexByte(text, '\n')+1:], &a)
}

// tsungRate is how many clients tsung is asked to start a second.
const tsungRate = 2000

// tsungCommand has each client wait for so long that all have heard everything: tsung
// cannot tell a client that it has.
func tsungCommand(j job) (args, env []string, err error) {
	seconds := j.clients/tsungRate + 1
	host, port, _ := strings.Cut(strings.TrimPrefix(j.url, "ws://"), ":")
	text := fmt.Sprintf(`<?xml version="1.0"?>
<!DOCTYPE tsung SYSTEM "/usr/share/tsung/tsung-1.0.dtd" []>
<tsung loglevel="error" version="1.0">
  <clients><client host="localhost" use_controller_vm="true" maxusers="%[1]d"/></clients>
  <servers><server host="%[2]s" port="%[3]s" type="tcp"/></servers>
  <load>
    <arrivalphase phase="1" duration="%[4]d" unit="second"><users maxnumber="%[5]d" arrivalrate="%[6]d" unit="second"/></arrivalphase>
  </load>
  <sessions>
    <session name="client" probability="100" type="ts_websocket" bidi="true">
      <request><websocket type="connect" path="/socket/websocket?vsn=2.0.0" origin="http://%[2]s"/></request>
      <request>
        <match do="log" when="match" name="joined">"status":"ok"</match>
        <websocket type="message" ack="parse" frame="text">["1","1","room:lobby","phx_join",{}]</websocket>
      </request>
      <thinktime value="%[7]d" random="false"/>
      <request><websocket type="close"/></request>
    </session>
  </sessions>
</tsung>
`, j.clients+1, host, port, 10*seconds, j.clients, tsungRate, 4*seconds+j.messages/2+10)
	config := filepath.Join(j.folder, "tsung.xml")
	args = []string{"tsung", "-n", "-I", "127.0.0.1", "-f", config, "-l", j.folder, "start"}
	return args, []string{"HOME=" + j.folder}, os.WriteFile(config, []byte(text), 0o600)
}

// tsungAccount reads the last totals of tsung's log: answers that matched, and reads
// of what it did not ask for and does not look into.
func tsungAccount(_ []byte, j job) (a account, err error) {
	logs, err := filepath.Glob(filepath.Join(j.folder, "*", "tsung.log"))
	if err != nil || len(logs) != 1 {
		return a, fmt.Errorf("%d logs of tsung in %s, want 1: %v", len(logs), j.folder, err)
	}
	file, err := os.Open(logs[0])
	if err != nil {
		return a, err
	}
	defer file.Close()
	a.Unit = "reads"
	lines := bufio.NewScanner(file)
	for lines.Scan() { // stats: NAME COUNT TOTAL
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || fields[0] != "stats:" {
			continue
		}
		total, _ := strconv.ParseInt(fields[3], 10, 64) // others are no counts
		switch fields[1] {
		case "match":
			a.Joined = total
		case "async_unknown_data_rcv":
			a.Receipts = total
		}
	}
	return a, lines.Err()
}
