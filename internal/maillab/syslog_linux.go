package maillab

import (
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// sysLog is the system log of a run: a socket at the usual place and what came
// through it.
type sysLog struct {
	start time.Time
	conn  *net.UnixConn

	mu    sync.Mutex
	lines []logLine
}

var syslogHead = regexp.MustCompile(`^<(\d+)>(?:\w{3} +\d+ [\d:]{8} )?`)

// listenSyslog makes the socket and collects until Close.
func listenSyslog(name string, start time.Time) (*sysLog, error) {
	os.Remove(name)
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(name, 0o666); err != nil {
		return nil, err
	}
	conn.SetReadBuffer(4 << 20)
	l := &sysLog{start: start, conn: conn}
	go l.collect()
	return l, nil
}

func (l *sysLog) collect() {
	buf := make([]byte, 1<<16)
	for {
		n, err := l.conn.Read(buf)
		if err != nil {
			return
		}
		l.add(strings.TrimRight(string(buf[:n]), "\x00\n"))
	}
}

func (l *sysLog) add(text string) {
	line := logLine{seconds: time.Since(l.start).Seconds(), severity: 6, text: text}
	if m := syslogHead.FindStringSubmatch(text); m != nil {
		priority, _ := strconv.Atoi(m[1])
		line.severity, line.text = priority&7, text[len(m[0]):]
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

// all returns the lines so far.
func (l *sysLog) all() []logLine {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines[:len(l.lines):len(l.lines)]
}
