// Package pack holds scripts in few octets: what a program needs of them to be
// compiled again, in about as much memory as their source.
package pack

import (
	"encoding/binary"
	"math"
	"strings"
	"sync"

	"github.com/oxmailroute/oxmailroute/sieve"
)

// Script packs a script. Of comments only their places are kept. It reports
// false where the script has a type of command or test that isn't of package
// sieve.
func Script(s *sieve.Script) (string, bool) {
	c := codecs.Get().(*codec)
	defer codecs.Put(c)
	c.out, c.failed = c.out[:0], false
	c.script(s)
	if cap(c.out) > keep {
		defer func() { c.out = nil }()
	}
	return string(c.out), !c.failed
}

// Unpack returns the script. Its strings share memory with the packed one. It
// reports false where it isn't what Script returned.
func Unpack(packed string) (*sieve.Script, bool) {
	c := codec{in: packed, reading: true}
	s := new(sieve.Script)
	c.script(s)
	return s, !c.failed && c.in == ""
}

// keep bounds the buffers that are used again.
const keep = 64 << 10

var codecs = sync.Pool{New: func() any { return new(codec) }}

// codec writes or reads: each of its methods does both, so that what is read is
// what was written.
type codec struct {
	out     []byte
	in      string
	reading bool
	failed  bool
}

func (c *codec) script(s *sieve.Script) {
	c.num((*uint64)(&s.Extensions))
	c.commands(&s.Commands)
	c.lines(&s.Lines)
}

// kind writes the number of a type.
func (c *codec) kind(n byte) { c.out = append(c.out, n) }

// next reads an octet.
func (c *codec) next() byte {
	if c.in == "" {
		c.failed = true
		return 0
	}
	b := c.in[0]
	c.in = c.in[1:]
	return b
}

func (c *codec) num(n *uint64) {
	if !c.reading {
		if *n < 0x80 {
			c.out = append(c.out, byte(*n))
		} else {
			c.out = binary.AppendUvarint(c.out, *n)
		}
		return
	}
	*n = 0
	for shift := 0; shift < 64; shift += 7 {
		b := c.next()
		*n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return
		}
	}
	c.failed = true
}

// length writes or reads the length of something of which each takes at least an
// octet; -1 is nil.
func (c *codec) length(n int) int {
	if !c.reading {
		if n < 0x7f {
			c.out = append(c.out, byte(n+1))
		} else {
			c.out = binary.AppendUvarint(c.out, uint64(n+1))
		}
		return n
	}
	var v uint64
	if c.num(&v); v > uint64(len(c.in))+1 {
		c.failed = true
		v = 0
	}
	return int(v) - 1
}

func lengthOf[T any](list []T) int {
	if list == nil {
		return -1
	}
	return len(list)
}

// made returns a list to read into.
func made[T any](n int) []T {
	if n < 0 {
		return nil
	}
	return make([]T, n)
}

func (c *codec) str(s *string) {
	n := c.length(len(*s))
	switch {
	case !c.reading:
		c.out = append(c.out, *s...)
	case n > 0:
		*s, c.in = c.in[:n], c.in[n:]
	default:
		*s = ""
	}
}

func (c *codec) strs(list *[]string) {
	n := c.length(lengthOf(*list))
	if c.reading {
		*list = made[string](n)
	}
	for i := range *list {
		if s := &(*list)[i]; c.reading {
			c.str(s)
		} else {
			c.length(len(*s))
			c.out = append(c.out, *s...)
		}
	}
}

func (c *codec) flag(b *bool) {
	switch {
	case c.reading:
		*b = c.next() != 0
	case *b:
		c.kind(1)
	default:
		c.kind(0)
	}
}

func (c *codec) optional(s **string) {
	there := *s != nil
	if c.flag(&there); !there {
		return
	}
	if c.reading {
		*s = new(string)
	}
	c.str(*s)
}

func (c *codec) optionalNum(n **uint64) {
	there := *n != nil
	if c.flag(&there); !there {
		return
	}
	if c.reading {
		*n = new(uint64)
	}
	c.num(*n)
}

// words are those that take one octet.
var words = [...]string{"", "is", "contains", "matches", "regex", "count", "value", "i;ascii-casemap", "i;octet", "i;ascii-numeric",
	"i;unicode-casemap", "all", "localpart", "domain", "user", "detail", "ge", "le", "gt", "lt", "eq", "ne", "text", "content", "raw",
	"date", "weekday", "time", "hour", "minute", "second", "year", "month", "day", "julian", "std11", "zone", "iso8601", "type",
	"subtype", "contenttype", "param", "personal", "global", "lower", "upper", "lowerfirst", "upperfirst", "quotewildcard",
	"quoteregex", "encodeurl", "length"}

// anyWord comes before a word that isn't one of them.
const anyWord = math.MaxUint8

func word[T ~string](c *codec, s *T) {
	if c.reading {
		switch n := c.next(); {
		case int(n) < len(words):
			*s = T(words[n])
		case n == anyWord:
			var other string
			c.str(&other)
			*s = T(other)
		default:
			c.failed = true
		}
		return
	}
	if *s == "" {
		c.kind(0)
		return
	}
	for i, w := range words {
		if string(*s) == w {
			c.kind(byte(i))
			return
		}
	}
	c.kind(anyWord)
	other := string(*s)
	c.str(&other)
}

func (c *codec) matching(m *sieve.MatchType, r *sieve.Relation, cmp *sieve.Comparator) {
	if !c.reading && *r == "" && *cmp == "" && (*m == sieve.Is || *m == sieve.Contains) { // as most are
		c.out = append(c.out, byte(len(*m)/8)+1, 0, 0) // their places in words
		return
	}
	word(c, m)
	word(c, r)
	word(c, cmp)
}

func (c *codec) modifiers(list *[]sieve.Modifier) {
	n := c.length(lengthOf(*list))
	if c.reading {
		*list = made[sieve.Modifier](n)
	}
	for i := range *list {
		word(c, &(*list)[i])
	}
}

func (c *codec) commands(list *[]sieve.Command) {
	n := c.length(lengthOf(*list))
	if !c.reading {
		for _, x := range *list {
			c.writeCommand(x)
		}
		return
	}
	*list = made[sieve.Command](n)
	for i := range *list {
		if (*list)[i] = c.readCommand(); c.failed {
			return
		}
	}
}

func (c *codec) test(t *sieve.Test) {
	if c.reading {
		*t = c.readTest()
	} else {
		c.writeTest(*t)
	}
}

func (c *codec) tests(list *[]sieve.Test) {
	n := c.length(lengthOf(*list))
	if c.reading {
		*list = made[sieve.Test](n)
	}
	for i := range *list {
		if c.test(&(*list)[i]); c.failed {
			return
		}
	}
}

func (c *codec) elsIfs(list *[]sieve.ElsIf) {
	n := c.length(lengthOf(*list))
	if c.reading {
		*list = made[sieve.ElsIf](n)
	}
	for i := range *list {
		c.test(&(*list)[i].Test)
		if c.commands(&(*list)[i].Then); c.failed {
			return
		}
	}
}

// comment keeps of a comment how many lines it has.
func (c *codec) comment(t *sieve.Comment) {
	if !c.reading {
		c.length(strings.Count(string(*t), "\n"))
	} else if n := c.length(0); n > 0 {
		*t = sieve.Comment(strings.Repeat("\n", n))
	}
}

// lines packs the lines of commands and tests, which mostly grow.
func (c *codec) lines(list *[]int) {
	n := c.length(lengthOf(*list))
	if c.reading {
		*list = made[int](n)
	}
	last := 0
	for i := range *list {
		step := int64((*list)[i] - last)
		zigzag := uint64(step<<1) ^ uint64(step>>63)
		c.num(&zigzag)
		last += int(int64(zigzag>>1) ^ -int64(zigzag&1))
		if c.reading {
			(*list)[i] = last
		}
	}
}
