package maillab

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// listenFilter starts a content filter.
func listenFilter(spec *Filter) error {
	if spec.Down {
		return nil
	}
	l, err := net.Listen("tcp", spec.Listen)
	if err != nil {
		return err
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				spec.serve(conn)
			}()
		}
	}()
	return nil
}

// serve passes a session on, command by command. The next server's replies are
// the client's, so the name of its queue file is in the client's log.
func (f *Filter) serve(client net.Conn) error {
	next, err := net.DialTimeout("tcp", f.Next, 10*time.Second)
	if err != nil {
		_, err := client.Write([]byte("421 4.3.0 " + err.Error() + "\r\n"))
		return err
	}
	defer next.Close()
	limit := time.Now().Add(5 * time.Minute)
	client.SetDeadline(limit)
	next.SetDeadline(limit)
	in, answers := bufio.NewReader(client), bufio.NewReader(next)
	// relay hands the client a reply, without the extensions that the filter
	// itself doesn't know.
	relay := func(greeting bool) (code string, err error) {
		lines, err := readReply(answers)
		if err != nil {
			return "", err
		}
		if greeting {
			lines = slices.DeleteFunc(lines, func(line string) bool {
				keyword, _, _ := strings.Cut(strings.ToUpper(line[min(4, len(line)):]), " ")
				return slices.Contains([]string{"STARTTLS", "CHUNKING", "AUTH"}, keyword)
			})
			last := lines[len(lines)-1]
			lines[len(lines)-1] = last[:3] + " " + last[min(4, len(last)):]
		}
		_, err = client.Write([]byte(strings.Join(lines, "\r\n") + "\r\n"))
		return lines[0][:3], err
	}
	if _, err := relay(false); err != nil {
		return err
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		if _, err := next.Write([]byte(line)); err != nil {
			return err
		}
		verb, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(line)), " ")
		code, err := relay(verb == "EHLO")
		if err != nil || verb == "QUIT" {
			return err
		}
		if verb != "DATA" || code != "354" {
			continue
		}
		data, err := readData(in)
		if err != nil {
			return err
		}
		if f.refuses(data) {
			// The next server has begun a message and must not get it.
			_, err := client.Write([]byte("554 5.7.1 " + f.Name + " doesn't like the subject\r\n"))
			return err
		}
		data = append([]byte(FieldFilter+": "+f.Name+"\r\n"), data...)
		if _, err := next.Write(append(stuffed(data), ".\r\n"...)); err != nil {
			return err
		}
		if _, err := relay(false); err != nil {
			return err
		}
	}
}

// refuses reports whether the Subject has the word.
func (f *Filter) refuses(data []byte) bool {
	header, _ := split(data)
	return f.Reject != "" && slices.ContainsFunc(fields(header, "Subject"), func(subject string) bool {
		return slices.Contains(strings.Fields(subject), f.Reject)
	})
}

// readReply reads the lines of one reply, without line ends.
func readReply(in *bufio.Reader) (lines []string, err error) {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		line = strings.TrimRight(line, "\r\n")
		if len(line) < 3 {
			return nil, fmt.Errorf("not a reply: %q", line)
		}
		lines = append(lines, line)
		if len(line) == 3 || line[3] != '-' {
			return lines, nil
		}
	}
}
