package devserver

import (
	"context"
	"net"
	"strconv"
)

const (
	host      = "127.0.0.1"
	usualPort = 7233
	// The usual distances of the UI's and the HTTP API's port from the frontend's.
	usualUIOffset   = 1000
	usualHTTPOffset = 10
)

func address(port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// choose returns the port that is asked for, else the usual one if it is wanted and free, else any free one. chosen
// tells that the port was our choice, so that another may be tried.
func choose(ctx context.Context, asked, usual int, wanted bool) (port int, chosen bool, err error) {
	if asked != 0 {
		return asked, false, nil
	}
	if wanted && free(ctx, usual) {
		return usual, true, nil
	}
	port, err = FreePort(ctx)
	return port, true, err
}

func free(ctx context.Context, port int) bool {
	l, err := listen(ctx, port)
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}

func listen(ctx context.Context, port int) (net.Listener, error) {
	var lc net.ListenConfig
	return lc.Listen(ctx, "tcp", address(port))
}

// FreePort returns a port of the loopback interface that nobody listens on, and that the kernel gives nobody else for a
// while: a connection to it is left in TIME_WAIT, which keeps it out of the kernel's choice but not from being asked for
// by number.
func FreePort(ctx context.Context) (int, error) {
	l, err := listen(ctx, 0)
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	var d net.Dialer
	far, err := d.DialContext(ctx, "tcp", l.Addr().String())
	if err != nil {
		return 0, err
	}
	defer func() { _ = far.Close() }()
	near, err := l.Accept()
	if err != nil {
		return 0, err
	}
	_ = near.Close() // this end first: it is the one that stays in TIME_WAIT
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(port)
}
