package conduct

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/roost-rt/roost/loadtest/record"
)

func (r *run) describe() *record.Run {
	settings := make(map[string]any)
	text, err := json.Marshal(r.cfg)
	if err == nil {
		err = json.Unmarshal(text, &settings)
	}
	if err != nil { // a Config is numbers and strings
		r.note("warn", fmt.Sprintf("cannot record the configuration: %v", err))
	}
	settings["clients"], settings["messages"], settings["rate"] = r.plan.Clients, r.plan.Messages, r.plan.Rate
	settings["client_tcp"] = string(r.plan.ClientTCP)    // as it is when it has been read
	settings["heartbeat_ns"] = float64(r.plan.Heartbeat) // a number like the other times
	return &record.Run{
		Schema:  record.Schema,
		Start:   time.Now().UTC().Format(time.RFC3339),
		Command: append([]string{filepath.Base(os.Args[0])}, os.Args[1:]...), // no folder: go run builds anywhere
		Config:  settings,
		Machine: readMachine(),
		Kernel:  readKernel(r.host.FilesHard),
		Plan:    r.plan.Why,
	}
}
