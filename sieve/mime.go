package sieve

func (n *node) mime(w *writer, mime, anyChild bool) *node {
	return n.flag(w, ExtMIME, "mime", mime).flag(w, ExtMIME, "anychild", anyChild)
}

// mime reads :mime and :anychild (RFC 5703 section 4).
func (r *reader) mime() (mime, anyChild bool) {
	mime = r.shows(nameMIME, ExtMIME)
	if f := r.tagged(nameAnyChild); f != nil {
		if anyChild = true; !mime {
			r.errorf(r.args[f.arg].off, "tag :anychild needs :mime")
		}
	}
	return mime, anyChild
}

func (r *reader) mimePart(t *Header) {
	for i := range r.found {
		f := &r.found[i]
		switch f.id {
		case nameType, nameSubtype, nameContentType, nameParam:
		default:
			continue
		}
		if t.MIMEPart = MIMEPart(spellings[f.id]); !t.MIME {
			r.errorf(r.args[f.arg].off, "tag :%s needs :mime", spellings[f.id])
		}
		if f.param != nil {
			t.MIMEParams = r.strList(f.param)
		}
	}
}

// MIMEPart is the piece of a MIME field that is compared (RFC 5703 section
// 4.2).
type MIMEPart string

// The MIME parts. The zero MIMEPart is the whole value.
const (
	MIMEType        MIMEPart = "type"        // before the slash
	MIMESubtype     MIMEPart = "subtype"     // behind the slash
	MIMEContentType MIMEPart = "contenttype" // type "/" subtype
	MIMEParam       MIMEPart = "param"       // the parameters that MIMEParams names
)
