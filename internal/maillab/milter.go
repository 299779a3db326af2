package maillab

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// The part of the milter protocol, version 6, that the milter of a run speaks:
// packets have a length of four octets, a command octet and its data (Sendmail's
// include/libmilter/mfdef.h). It is small enough to be no reason for a library.
const (
	milterOptions   = 'O' // both ways: version, actions, steps to leave out
	milterMacros    = 'D' // no reply
	milterAbort     = 'A' // no reply
	milterQuit      = 'Q' // no reply, the end
	milterQuitNew   = 'K' // no reply, another client's connection follows
	milterHeader    = 'L' // name, NUL, value, NUL
	milterEnd       = 'E' // of the message
	milterContinue  = 'c'
	milterAddHeader = 'h' // name, NUL, value, NUL
	milterReject    = 'r'
	milterTempFail  = 't'

	milterMayAddHeaders = 1
	milterNoBody        = 0x10 // a step to leave out
	milterLimit         = 1 << 20
)

// listenMilter starts a milter.
func listenMilter(spec *Milter) error {
	if spec.Down {
		return nil
	}
	network := "tcp"
	if filepath.IsAbs(spec.Address) {
		network = "unix"
		if err := os.MkdirAll(filepath.Dir(spec.Address), 0o755); err != nil {
			return err
		}
	}
	l, err := net.Listen(network, spec.Address)
	if err != nil {
		return err
	}
	if network == "unix" {
		if err := os.Chmod(spec.Address, 0o666); err != nil {
			return err
		}
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

// serve speaks the protocol on one connection.
func (m *Milter) serve(conn net.Conn) error {
	in := bufio.NewReader(conn)
	verdict := byte(milterContinue)
	for {
		command, data, err := readPacket(in)
		if err != nil {
			return err
		}
		switch command {
		case milterOptions:
			if len(data) < 12 {
				return errors.New("short options")
			}
			options := binary.BigEndian.AppendUint32(nil, min(binary.BigEndian.Uint32(data), 6))
			options = binary.BigEndian.AppendUint32(options, milterMayAddHeaders)
			options = binary.BigEndian.AppendUint32(options, milterNoBody&binary.BigEndian.Uint32(data[8:]))
			err = writePacket(conn, milterOptions, options)
		case milterAbort, milterQuitNew:
			verdict = milterContinue
		case milterMacros:
		case milterQuit:
			return nil
		case milterHeader:
			name, value, _ := strings.Cut(string(data), "\x00")
			if strings.EqualFold(name, "Subject") {
				words := strings.Fields(strings.TrimRight(value, "\x00"))
				verdict = m.verdict(words, verdict)
			}
			err = writePacket(conn, milterContinue, nil)
		case milterEnd:
			if verdict == milterContinue {
				if err := writePacket(conn, milterAddHeader, []byte(FieldMilter+"\x00"+m.Name+"\x00")); err != nil {
					return err
				}
			}
			err = writePacket(conn, verdict, nil)
			verdict = milterContinue
		default:
			err = writePacket(conn, milterContinue, nil)
		}
		if err != nil {
			return err
		}
	}
}

// verdict is what the milter makes of a message with the words in its Subject.
func (m *Milter) verdict(words []string, before byte) byte {
	for _, w := range words {
		switch w {
		case m.Reject:
			return milterReject
		case m.TempFail:
			return milterTempFail
		}
	}
	return before
}

func readPacket(in io.Reader) (command byte, data []byte, err error) {
	var size [4]byte
	if _, err := io.ReadFull(in, size[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n == 0 || n > milterLimit {
		return 0, nil, errors.New("packet size")
	}
	data = make([]byte, n)
	if _, err := io.ReadFull(in, data); err != nil {
		return 0, nil, err
	}
	return data[0], data[1:], nil
}

func writePacket(out io.Writer, command byte, data []byte) error {
	packet := binary.BigEndian.AppendUint32(nil, uint32(1+len(data)))
	packet = append(append(packet, command), data...)
	_, err := out.Write(packet)
	return err
}
