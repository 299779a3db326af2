package sievetest

import "testing"

// MakeMailbox makes a mailbox of a user.
func (s *Server) MakeMailbox(tb testing.TB, user, box string) {
	tb.Helper()
	for _, sub := range []string{"", "/cur", "/new", "/tmp"} {
		s.ldaSrv.make(tb, user+"/mail/."+box+sub)
	}
}
