package interp

// metadata returns an annotation of a mailbox, or of the server.
func (r *run) metadata(mailbox, annotation string) (string, bool) {
	if r.in.Mailboxes == nil {
		return "", false
	}
	return r.in.Mailboxes.Metadata(mailbox, annotation)
}

// metadataTest is metadata or servermetadata (RFC 5490 sections 4 and 5).
type metadataTest struct {
	step       int
	mailbox    text
	annotation text
	match      *matcher
	server     bool
}

func (c *metadataTest) eval(r *run) bool {
	mailbox := ""
	if !c.server {
		if mailbox = r.str(&c.mailbox); !r.mailboxExists(mailbox) {
			return r.note(c.step, false, []byte(mailbox))
		}
	}
	values := r.list[:0]
	if v, ok := r.metadata(mailbox, r.str(&c.annotation)); ok {
		values = append(values, value{text: []byte(v)})
	}
	r.list = values
	return r.compare(c.step, c.match, values)
}

// metadataExistsTest is metadataexists or servermetadataexists.
type metadataExistsTest struct {
	step        int
	mailbox     text
	annotations []text
	server      bool
}

func (c *metadataExistsTest) eval(r *run) bool {
	mailbox := ""
	if !c.server {
		if mailbox = r.str(&c.mailbox); !r.mailboxExists(mailbox) {
			return r.note(c.step, false, []byte(mailbox))
		}
	}
	for i := range c.annotations {
		name := r.str(&c.annotations[i])
		if r.spend(64 + 8*len(name)); r.failed != nil {
			return false
		}
		if _, ok := r.metadata(mailbox, name); !ok {
			return r.note(c.step, false, []byte(name))
		}
	}
	return r.note(c.step, true, nil)
}
