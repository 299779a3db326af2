package sieve

// Body holds where the body compares true with one of the Keys (RFC 5173
// section 4).
type Body struct {
	Transform Transform
	// Content are the media types that BodyContent looks at: "text" for all
	// subtypes, "text/html" for one, "" for all.
	Content    []string
	Match      MatchType
	Relation   Relation
	Comparator Comparator
	Keys       []string
}

// Transform says which text of the body is compared (RFC 5173 section 5).
type Transform string

// The transforms. The zero Transform means BodyText.
const (
	BodyRaw     Transform = "raw"     // the body as it stands
	BodyContent Transform = "content" // the decoded parts of some types
	BodyText    Transform = "text"    // the text of the message
)

func (Body) test() {}

func (c *valueChecker) body(t Body, where string) {
	c.nonEmpty(t.Keys, where+".Keys")
	c.texts(t.Content, where+".Content")
	c.matching(t.Match, t.Relation, t.Comparator, t.Keys, where)
	switch t.Transform {
	case "", BodyRaw, BodyText, BodyContent:
	default:
		c.errorf(where+".Transform", "unknown transform %q", string(t.Transform))
	}
	if (t.Content != nil) != (t.Transform == BodyContent) {
		c.errorf(where+".Content", "belongs to BodyContent, and that needs it")
	}
}
