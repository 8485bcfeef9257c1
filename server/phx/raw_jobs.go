package phx

// A rawJob is something for the callbacks of a raw socket.
type rawJob interface {
	do(s *RawSocket) error // turn only
	bytes() int            // what it holds
}

type (
	rawOpen    struct{}
	rawMessage struct { // of the client
		data   []byte
		binary bool
		done   func() // called when In has returned; may be nil
	}
	rawControl struct {
		ping    bool
		payload []byte
	}
	rawInfo struct{ msg any } // what RawSocket.Send was given
	rawEnd  struct{}
)

// ends reports whether a job has its turn also after a failure.
func ends(j rawJob) bool {
	switch j.(type) {
	case rawPart, rawEnd:
		return true
	}
	return false
}

// rawShared is shared.
func rawShared(j rawJob) bool {
	_, ok := j.(rawInfo)
	return ok
}

func (rawOpen) bytes() int       { return jobOverhead }
func (j *rawMessage) bytes() int { return jobOverhead + len(j.data) }
func (j *rawControl) bytes() int { return jobOverhead + len(j.payload) }
func (j rawInfo) bytes() int     { return infoBytes(j.msg) }
func (rawEnd) bytes() int        { return jobOverhead }

func (rawOpen) do(s *RawSocket) error {
	if s.mount.Raw.Open == nil {
		return nil
	}
	return s.call(RawCall{Callback: "Open"})
}

func (j *rawMessage) do(s *RawSocket) error {
	if s.mount.Raw.In == nil {
		return nil
	}
	return s.call(RawCall{Callback: "In", Data: j.data, Binary: j.binary})
}

func (j *rawControl) do(s *RawSocket) error {
	return s.call(RawCall{Callback: "Control", Data: j.payload, Ping: j.ping})
}

func (j rawInfo) do(s *RawSocket) error {
	if s.mount.Raw.Info == nil {
		return nil
	}
	return s.call(RawCall{Callback: "Info", Message: j.msg})
}

func (rawEnd) do(s *RawSocket) error {
	if s.mount.Raw.Terminate == nil {
		return nil
	}
	return s.call(RawCall{Callback: "Terminate", Reason: s.reason()})
}
