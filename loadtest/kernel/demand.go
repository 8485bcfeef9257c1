package kernel

// A Demand is the load that a host should hold.
type Demand struct {
	Clients  Count
	SameHost bool // servers and clients are both here; else only the servers
	Remote   bool // only the clients are here, and the servers are one address elsewhere; not with SameHost
	Single   bool // one server process must hold all; else as many as the file limit asks for

	// FilesPerProcess is the limit of open files to reckon with. Zero means that
	// of this process.
	FilesPerProcess Count

	// Addresses is how many addresses the clients of this host connect from. Zero
	// means as many of 127.0.0.0/8 as it takes, or one if the servers are elsewhere.
	Addresses Count

	// OneAddress says that the servers listen on one address, whatever their number;
	// else each process has one of its own.
	OneAddress bool

	// OneEnd says that only the servers' ends of connections are the kernel's, on this
	// host or elsewhere: the clients are in one process, and their TCP is, too.
	OneEnd bool

	// Users says that clients go through a scenario file, and TLS that they speak it:
	// both take memory where the clients are.
	Users, TLS bool
}

const (
	// ownFiles is how many files a process has open besides its connections: 16 were
	// counted in the server, 14 in one of clients.
	ownFiles = 16

	// keptFiles is how many files a server of ours keeps from connections, by its
	// default of MaxConns: more get 503.
	keptFiles = 64

	// SpareFiles is how many files a load test leaves free when it divides clients
	// among processes.
	SpareFiles = 200

	// leastFiles is how many a process must have for more processes to be a way out.
	leastFiles = SpareFiles + 56

	// endBytes is one end of a connection in memory, 4.1 KB of the kernel (TCP
	// socket, inode, file, epoll entry) and the rest of its process. An unread message
	// takes 1.1 KB more.
	endBytes = 4_450

	// virtualBytes is the memory of a client whose TCP is in its process: 64 bytes there,
	// and the unexplained part of the 4,913 bytes that were measured for both ends of
	// four million.
	virtualBytes = 500

	// userBytes is the memory of a user of a scenario file in its process at the end of a
	// short run, and userTLSBytes the memory of crypto/tls for it, both measured with
	// 3,000 users. tlsBytes is the memory of TLS for any other client.
	userBytes, userTLSBytes, tlsBytes = 25_000, 14_500, 6_500

	// acceptedBytes is the charge to a cgroup of version 1 for a server's end. Its TCP
	// socket is made by the packet that completes the handshake, which belongs to no
	// process; only version 2 charges it when it is accepted. Both ends were
	// killed in cgroups of 128, 200, 262 and 400 MB at 15,600, 25,500, 35,200 and
	// 53,500 clients: 6.3 to 6.7 KB for both.
	acceptedBytes = 2_050

	// processBytes is the memory that a process takes before its first client and cannot
	// give back; its other resident pages are of the program's file.
	processBytes = 6_500_000

	// runtimeThreads is how many threads a Go process has besides one for each
	// processor; 8 or 9 were counted.
	runtimeThreads = 10

	// closeRate is how many connections of both ends the kernel closes in a
	// second: a million took 14 to 24 s.
	closeRate = 1_000_000 / 24

	// stopSeconds is how long systemd waits for a service to end, unless told
	// (DefaultTimeoutStopSec).
	stopSeconds = 90
)

// ends is how many ends of a connection the kernel has here.
func (d Demand) ends() int64 {
	switch {
	case d.Remote && d.OneEnd:
		return 0
	case d.SameHost && !d.OneEnd:
		return 2
	}
	return 1
}

// perClient returns the memory that a client takes here.
func (d Demand) perClient() int64 {
	n := d.ends() * endBytes
	switch {
	case d.OneEnd:
		n += virtualBytes
	case !d.SameHost && !d.Remote:
	case d.Users && d.TLS:
		n += userBytes + userTLSBytes
	case d.Users:
		n += userBytes
	case d.TLS:
		n += tlsBytes
	}
	return n
}

// A layout is how the processes of a demand divide their clients.
type layout struct {
	Demand
	files Count // that each may open
}

// perProcess is how many connections one process is given.
func (l layout) perProcess() int64 { return max(1, int64(l.files)-SpareFiles) }

// parts is n/per rounded up.
func parts(n, per int64) int64 { return n/per + min(1, n%per) }

// servers is how many server processes hold n clients.
func (l layout) servers(n int64) int64 {
	switch {
	case l.Remote:
		return 0
	case l.Single:
		return 1
	}
	return max(1, parts(n, l.perProcess()))
}

// processes counts the processes of the servers and of the clients, if they are here.
func (l layout) processes(n int64) int64 {
	if !l.SameHost && !l.Remote {
		return l.servers(n)
	}
	if l.OneEnd {
		return l.servers(n) + 1
	}
	return l.servers(n) + max(1, parts(n, l.perProcess()))
}

func (l layout) openFiles(n int64) int64 { return n*l.ends() + ownFiles*l.processes(n) }

// memory returns the memory that n clients take. The processes that the clients asked for
// need are started before the first of these connects.
func (l layout) memory(n int64) int64 {
	return n*l.perClient() + l.processes(max(n, int64(l.Clients)))*processBytes
}

// charged is the part of it that a cgroup of version 1 counts.
func (l layout) charged(n int64) int64 {
	if l.Remote {
		return l.memory(n)
	}
	return l.memory(n) - n*(endBytes-acceptedBytes)
}
