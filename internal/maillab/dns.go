package maillab

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer answers from a world's zones over UDP and TCP: A, MX and PTR;
// other types of an existing name have an empty answer, other names don't
// exist.
type nameServer struct {
	world *World
	udp   net.PacketConn
	tcp   net.Listener
}

// listenDNS opens both sockets of the address and serves until Close.
func listenDNS(world *World, address string) (*nameServer, error) {
	udp, err := net.ListenPacket("udp", address)
	if err != nil {
		return nil, err
	}
	tcp, err := net.Listen("tcp", udp.LocalAddr().String())
	if err != nil {
		udp.Close()
		return nil, err
	}
	s := &nameServer{world: world, udp: udp, tcp: tcp}
	go s.serveUDP()
	go s.serveTCP()
	return s, nil
}

// Close ends the service.
func (s *nameServer) Close() error { return errors.Join(s.udp.Close(), s.tcp.Close()) }

func (s *nameServer) serveUDP() {
	buf := make([]byte, 4096)
	for {
		n, peer, err := s.udp.ReadFrom(buf)
		if err != nil {
			return
		}
		if reply, err := s.answer(buf[:n]); err == nil {
			s.udp.WriteTo(reply, peer)
		}
	}
}

func (s *nameServer) serveTCP() {
	for {
		conn, err := s.tcp.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			for {
				var size [2]byte
				if _, err := io.ReadFull(conn, size[:]); err != nil {
					return
				}
				query := make([]byte, binary.BigEndian.Uint16(size[:]))
				if _, err := io.ReadFull(conn, query); err != nil {
					return
				}
				reply, err := s.answer(query)
				if err != nil {
					return
				}
				if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
					return
				}
			}
		}()
	}
}

// answer is the reply to one query.
func (s *nameServer) answer(query []byte) ([]byte, error) {
	var p dnsmessage.Parser
	header, err := p.Start(query)
	if err != nil {
		return nil, err
	}
	q, err := p.Question()
	if err != nil {
		return nil, err
	}
	name := strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))
	records, exists, secure := s.lookup(name, q.Type)
	reply := dnsmessage.Header{
		ID: header.ID, Response: true, RecursionDesired: header.RecursionDesired, RecursionAvailable: true,
		Authoritative: false, AuthenticData: secure,
	}
	if !exists {
		reply.RCode = dnsmessage.RCodeNameError
	}
	m := dnsmessage.Message{Header: reply, Questions: []dnsmessage.Question{q}}
	for _, body := range records {
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: 60},
			Body:   body,
		})
	}
	return m.Pack()
}

// lookup finds the records of a type, and whether the name exists at all.
func (s *nameServer) lookup(name string, typ dnsmessage.Type) (records []dnsmessage.ResourceBody, exists, secure bool) {
	if labels, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		octets := strings.Split(labels, ".")
		for i, j := 0, len(octets)-1; i < j; i, j = i+1, j-1 {
			octets[i], octets[j] = octets[j], octets[i]
		}
		target, ok := s.world.Pointers[strings.Join(octets, ".")]
		if !ok {
			return nil, false, true
		}
		if host, err := dnsmessage.NewName(target + "."); err == nil && typ == dnsmessage.TypePTR {
			records = append(records, &dnsmessage.PTRResource{PTR: host})
		}
		return records, true, true
	}
	entry, ok := s.world.node(name)
	if !ok {
		return nil, false, false
	}
	switch typ {
	case dnsmessage.TypeA:
		for _, a := range entry.A {
			if ip, err := netip.ParseAddr(a); err == nil && ip.Is4() {
				records = append(records, &dnsmessage.AResource{A: ip.As4()})
			}
		}
	case dnsmessage.TypeMX:
		for _, mx := range entry.MX {
			if host, err := dnsmessage.NewName(mx.Host + "."); err == nil {
				records = append(records, &dnsmessage.MXResource{Pref: mx.Preference, MX: host})
			}
		}
	}
	return records, true, entry.Secure
}
