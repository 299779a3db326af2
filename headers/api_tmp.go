package headers

import "regexp"


// Matcher is a compiled predicate.
type Matcher struct{}

// Compile binds a predicate to a view.
func Compile(p Predicate, v View) (*Matcher, error) { return &Matcher{}, nil }

// Match reports whether the predicate holds.
func (m *Matcher) Match(fields Section, body []byte) bool { return false }

// MatchField reports whether the predicate holds because of this field.
func (m *Matcher) MatchField(f Field) bool { return false }

// CompileERE translates a POSIX extended regular expression.
func CompileERE(pattern string, foldCase bool) (*regexp.Regexp, error) { return regexp.Compile(pattern) }

// Glob is a compiled glob.
type Glob struct{}

// CompileGlob compiles a glob.
func CompileGlob(pattern string, foldCase bool) *Glob { return &Glob{} }

// Match reports whether all of value matches.
func (g *Glob) Match(value []byte) bool { return false }

// Validate checks a predicate.
func Validate(p Predicate) error { return nil }

// MarshalJSON writes the predicate.
func (c Condition) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// UnmarshalJSON reads a predicate.
func (c *Condition) UnmarshalJSON(data []byte) error { return nil }

// Sentence says the predicate in English.
func Sentence(p Predicate) string { return "" }

// MarkerName returns the marker header's name of a domain.
func MarkerName(prefix, domain string) (string, error) { return prefix + domain, nil }

// Markers is an index of marker names.
type Markers struct{}

// NewMarkers indexes domains.
func NewMarkers(prefix string, domains []string) (*Markers, error) { return &Markers{}, nil }

// Name returns the marker of a known domain.
func (m *Markers) Name(domain string) (string, bool) { return "", false }

// Domains returns the known domains of a marker.
func (m *Markers) Domains(headerName string) []string { return nil }

// Collisions returns the groups of domains with one marker.
func (m *Markers) Collisions() [][]string { return nil }

// ASCIIDomain returns the domain as lower-case A-labels.
func ASCIIDomain(domain string) (string, error) { return domain, nil }

// UnicodeDomain returns the domain as U-labels.
func UnicodeDomain(domain string) (string, error) { return domain, nil }
