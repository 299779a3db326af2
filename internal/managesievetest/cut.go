package managesievetest

import (
	"io"
	"net"
	"sync"
)

// A Cut is a connection that breaks after a number of bytes, both directions
// counted together, as where a machine is switched off.
type Cut struct {
	net.Conn
	mu   sync.Mutex
	left int
}

// NewCut breaks conn after the given number of bytes.
func NewCut(conn net.Conn, after int) *Cut { return &Cut{Conn: conn, left: after} }

// Left is how many bytes may still pass.
func (c *Cut) Left() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left
}

func (c *Cut) take(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n = min(n, c.left)
	c.left -= n
	return n
}

// Read reads until the cut, then finds the connection closed.
func (c *Cut) Read(b []byte) (int, error) {
	left := c.Left()
	if left == 0 {
		c.Conn.Close()
		return 0, io.EOF
	}
	n, err := c.Conn.Read(b[:min(len(b), left)])
	c.take(n)
	return n, err
}

// Write writes what fits before the cut; the rest is lost.
func (c *Cut) Write(b []byte) (int, error) {
	n := c.take(len(b))
	written, err := c.Conn.Write(b[:n])
	if err == nil && n < len(b) {
		c.Conn.Close()
		err = io.ErrClosedPipe
	}
	return written, err
}
