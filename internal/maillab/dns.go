package maillab

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer answers from a world's zones over UDP and TCP: A, AAAA, MX, TLSA
// and PTR; other types of an existing name have an empty answer, other names
// don't exist.
type nameServer struct {
	world *World
	keys  map[string]KeyPair
	udp   net.PacketConn
	tcp   net.Listener
}

// listenDNS opens both sockets of the address and serves until Close. The keys
// are those that TLSA records are made of.
func listenDNS(world *World, keys map[string]KeyPair, address string) (*nameServer, error) {
	udp, err := net.ListenPacket("udp", address)
	if err != nil {
		return nil, err
	}
	tcp, err := net.Listen("tcp", udp.LocalAddr().String())
	if err != nil {
		udp.Close()
		return nil, err
	}
	s := &nameServer{world: world, keys: keys, udp: udp, tcp: tcp}
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
	if ip, ok := reversed(name); ok {
		for pointed, target := range s.world.Pointers {
			if a, err := netip.ParseAddr(pointed); err != nil || a != ip {
				continue
			}
			if host, err := dnsmessage.NewName(target + "."); err == nil && typ == dnsmessage.TypePTR {
				records = append(records, &dnsmessage.PTRResource{PTR: host})
			}
			return records, true, true
		}
		return nil, false, true
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
	case dnsmessage.TypeAAAA:
		for _, a := range entry.AAAA {
			if ip, err := netip.ParseAddr(a); err == nil && ip.Is6() {
				records = append(records, &dnsmessage.AAAAResource{AAAA: ip.As16()})
			}
		}
	case typeTLSA:
		for _, name := range entry.TLSA {
			if data, err := tlsa(s.keys[name]); err == nil {
				records = append(records, &dnsmessage.UnknownResource{Type: typeTLSA, Data: data})
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

// typeTLSA is the type of RFC 6698.
const typeTLSA dnsmessage.Type = 52

// tlsa is the record 3 1 1 (RFC 7672, 3.1.1) of a certificate: the SHA-256 hash
// of its public key.
func tlsa(pair KeyPair) ([]byte, error) {
	block, _ := pem.Decode(pair.Certificate)
	if block == nil {
		return nil, errors.New("no such certificate")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return append([]byte{3, 1, 1}, sum[:]...), nil
}

// reversed is the address of a name in the reverse zones (RFC 1035, 3.5; RFC
// 3596, 2.5).
func reversed(name string) (ip netip.Addr, ok bool) {
	if labels, four := strings.CutSuffix(name, ".in-addr.arpa"); four {
		octets := strings.Split(labels, ".")
		slices.Reverse(octets)
		ip, err := netip.ParseAddr(strings.Join(octets, "."))
		return ip, err == nil
	}
	labels, six := strings.CutSuffix(name, ".ip6.arpa")
	if !six {
		return ip, false
	}
	nibbles := strings.Split(labels, ".")
	slices.Reverse(nibbles)
	var text strings.Builder
	for i, n := range nibbles {
		if i > 0 && i%4 == 0 {
			text.WriteByte(':')
		}
		text.WriteString(n)
	}
	ip, err := netip.ParseAddr(text.String())
	return ip, err == nil && ip.Is6()
}
