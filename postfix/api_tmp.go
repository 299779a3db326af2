package postfix

import (
	"net/netip"

	"github.com/oxmailroute/oxmailroute/headers"
)

// ---- main.cf

// Param is one parameter definition, of main.cf or of a -o option.
type Param struct {
	Name, Value string
	Comment     string // written above it as comment lines
	Line        int    // first physical line where it was read; ignored when written
}

// Main is a main.cf file.
type Main struct{ _ struct{} }

// ParseMain reads main.cf.
func ParseMain(name string, src []byte) (*Main, error) { return nil, nil }

// Format returns the file.
func (m *Main) Format() []byte { return nil }

// Params returns all definitions in file order.
func (m *Main) Params() []Param { return nil }

// Get returns the effective value.
func (m *Main) Get(name string) (value string, ok bool) { return "", false }

// Line returns the line of the effective definition, or 0.
func (m *Main) Line(name string) int { return 0 }

// Expand expands $name expressions; override is asked first and may be nil.
func (m *Main) Expand(value string, override func(name string) (string, bool)) (string, error) {
	return "", nil
}

// Set writes the owner's block.
func (m *Main) Set(owner string, params []Param) error { return nil }

// Remove takes the owner's block out.
func (m *Main) Remove(owner string) error { return nil }

// Warnings returns what Postfix would log about the file.
func (m *Main) Warnings() []Warning { return nil }

// ---- master.cf

// Service is one entry of master.cf.
type Service struct {
	Name, Type, Private, Unprivileged, Chroot, Wakeup, MaxProcesses, Command string

	Args    []string
	Options []Param
	Comment string
	Line    int
}

// ServiceOptions are -o options for a service of the customer's.
type ServiceOptions struct {
	Name, Type string
	Options    []Param
}

// Master is a master.cf file.
type Master struct{ _ struct{} }

// ParseMaster reads master.cf.
func ParseMaster(name string, src []byte) (*Master, error) { return nil, nil }

// Format returns the file.
func (m *Master) Format() []byte { return nil }

// Services returns all services in file order.
func (m *Master) Services() []Service { return nil }

// Lookup returns the effective service (the last of that name and type).
func (m *Master) Lookup(name, typ string) (Service, bool) { return Service{}, false }

// Set writes the owner's services and options.
func (m *Master) Set(owner string, add []Service, options []ServiceOptions) error { return nil }

// Remove takes everything of the owner's out.
func (m *Master) Remove(owner string) error { return nil }

// ServicePort returns host and port of an inet service name.
func ServicePort(name string) (host string, port uint16, ok bool) { return "", 0, false }

// ---- tables

// Entry is one row of a table.
type Entry struct {
	Key, Value string
	Comment    string // comment lines above it
	Rule       string // where it comes from, for traces; not printed
	Line       int    // line in the file it was read from; 0 in a table that was built
}

// Table is the source text of a hash:, lmdb: or texthash: table.
type Table []Entry

// Format returns the text that postmap reads.
func (t Table) Format() ([]byte, error) { return nil, nil }

// ParseTable reads what postmap reads.
func ParseTable(name string, src []byte) (Table, []Warning) { return nil, nil }

// Index returns the compiled table.
func (t Table) Index() *Index { return nil }

// Index is a compiled table, safe for concurrent use.
type Index struct{ _ struct{} }

// Lookup finds a key.
func (ix *Index) Lookup(key string) (e Entry, line int, ok bool) { return Entry{}, 0, false }

// Map is anything that finds keys as [Index] does.
type Map interface {
	Lookup(key string) (e Entry, line int, ok bool)
}

// Maps are searched in order.
type Maps []Map

// Lookup finds the key in the first map that has it.
func (l Maps) Lookup(key string) (e Entry, line int, ok bool) { return Entry{}, 0, false }

// Search holds the parameters that address searches depend on.
type Search struct {
	Delimiter    string                   // recipient_delimiter
	Local        func(domain string) bool // domain is $myorigin, in $mydestination or an own address; nil: none is
	MatchParents bool                     // the feature is in parent_domain_matches_subdomains
}

// Hit is a row found, and how.
type Hit struct {
	Entry     Entry
	Line      int
	Key       string // the key that was found
	Extension string // with its delimiter, where the key was found without it
}

// Address searches as address tables are searched: user+ext@domain,
// user@domain, user+ext and user where the domain is local, @domain.
func (s *Search) Address(m Map, addr string) (Hit, bool) { return Hit{}, false }

// Sender searches sender_dependent_default_transport_maps; the empty sender is
// looked up as "<>".
func (s *Search) Sender(m Map, sender string) (Hit, bool) { return Hit{}, false }

// Transport searches transport(5).
func (s *Search) Transport(m Map, addr string) (Hit, bool) { return Hit{}, false }

// Mailbox searches virtual_mailbox_maps.
func (s *Search) Mailbox(m Map, addr string) (Hit, bool) { return Hit{}, false }

// Client searches access(5) for check_client_access.
func (s *Search) Client(m Map, name string, addr netip.Addr) (Hit, bool) { return Hit{}, false }

// Recipient searches access(5) for an e-mail address.
func (s *Search) Access(m Map, addr string) (Hit, bool) { return Hit{}, false }

// Aliases are virtual(5) aliases with the parameters cleanup(8) expands by.
type Aliases struct {
	Map            Map
	Search         Search
	Origin         string // appended to results without a domain; myorigin
	Propagate      bool   // propagate_unmatched_extensions has virtual
	RecursionLimit int    // virtual_alias_recursion_limit; 0: 1000
	ExpansionLimit int    // virtual_alias_expansion_limit; 0: 1000
}

// Expand returns the final addresses of rcpt, itself where it has no alias,
// and the rows used.
func (a *Aliases) Expand(rcpt string) (addrs []string, hits []Hit, err error) { return nil, nil, nil }

// CIDREntry is a rule of a cidr: table.
type CIDREntry struct {
	Prefix  netip.Prefix
	Value   string
	Negate  bool
	Guards  []CIDRGuard
	Comment string
	Rule    string
	Line    int
}

// CIDRGuard is an enclosing if.
type CIDRGuard struct {
	Prefix netip.Prefix
	Negate bool
}

// CIDRTable is a cidr: table.
type CIDRTable []CIDREntry

// Format returns the text of the table.
func (t CIDRTable) Format() ([]byte, error) { return nil, nil }

// ParseCIDR reads a cidr: table.
func ParseCIDR(name string, src []byte) (CIDRTable, []Warning) { return nil, nil }

// Lookup returns the first rule that matches.
func (t CIDRTable) Lookup(addr netip.Addr) (CIDREntry, bool) { return CIDREntry{}, false }

// ---- header checks

// CheckAction is what a header check does.
//
//sumtype:decl
type CheckAction interface{ checkAction() }

// The actions of header_checks(5).
type (
	// Filter is FILTER transport:nexthop.
	Filter struct{ Transport, NextHop string }
	// Reject is REJECT text.
	Reject struct{ Text string }
	// Strip is STRIP text.
	Strip struct{ Text string }
	// Ignore is IGNORE.
	Ignore struct{}
	// Prepend is PREPEND text.
	Prepend struct{ Text string }
	// Redirect is REDIRECT address.
	Redirect struct{ Address string }
	// Discard is DISCARD text.
	Discard struct{ Text string }
	// Hold is HOLD text.
	Hold struct{ Text string }
	// Dunno is DUNNO.
	Dunno struct{}
	// Pass is PASS text.
	Pass struct{ Text string }
	// Warn is WARN text.
	Warn struct{ Text string }
	// Replace is REPLACE text.
	Replace struct{ Text string }
	// Info is INFO text.
	Info struct{ Text string }
	// BCC is BCC address.
	BCC struct{ Address string }
)

func (Filter) checkAction()   {}
func (Reject) checkAction()   {}
func (Strip) checkAction()    {}
func (Ignore) checkAction()   {}
func (Prepend) checkAction()  {}
func (Redirect) checkAction() {}
func (Discard) checkAction()  {}
func (Hold) checkAction()     {}
func (Dunno) checkAction()    {}
func (Pass) checkAction()     {}
func (Warn) checkAction()     {}
func (Replace) checkAction()  {}
func (Info) checkAction()     {}
func (BCC) checkAction()      {}

// CheckRule is one rule.
type CheckRule struct {
	When    headers.Predicate
	Regexp  string
	Flags   string
	Negate  bool
	Guard   string
	Action  CheckAction
	Rule    string
	Comment string
	Line    int
}

// CheckTable is a header_checks table.
type CheckTable []CheckRule

// Format returns the text of the regexp: table.
func (t CheckTable) Format() ([]byte, error) { return nil, nil }

// Lines returns for each rule the first line it has in Format's text.
func (t CheckTable) Lines() ([]int, error) { return nil, nil }

// Compile returns the compiled table.
func (t CheckTable) Compile() (*Checks, error) { return nil, nil }

// Checks is a compiled CheckTable, safe for concurrent use.
type Checks struct{ _ struct{} }

// CheckHit is the rule that decided.
type CheckHit struct {
	Action CheckAction
	Rule   string
	Line   int
}

// Lookup returns what cleanup(8) finds for the field.
func (c *Checks) Lookup(f headers.Field) (hit CheckHit, ok bool) { return CheckHit{}, false }

// PatternsFor returns regexp: patterns for a predicate.
func PatternsFor(p headers.Predicate) ([]string, error) { return nil, nil }

// ParseCheckTable reads a regexp: or pcre: table.
func ParseCheckTable(name, kind string, src []byte) (CheckTable, []Warning) { return nil, nil }

// ---- values

// Restriction is one element of a smtpd_*_restrictions list.
type Restriction struct{ Name, Arg string }

// ParseRestrictions reads a restriction list.
func ParseRestrictions(value string) ([]Restriction, error) { return nil, nil }

// NextHop is a transport and where it delivers to.
type NextHop struct {
	Transport, Host string
	Port            uint16
	MX              bool
}

// ParseNextHop reads transport:nexthop.
func ParseNextHop(s string) (NextHop, error) { return NextHop{}, nil }

// String writes transport:nexthop.
func (h NextHop) String() string { return "" }

// ValidParamName reports why a parameter name is not legal.
func ValidParamName(name string) error { return nil }

// ValidValue reports why a parameter value can't be written.
func ValidValue(value string) error { return nil }

// ValidTransport reports why a transport name is not legal.
func ValidTransport(name string) error { return nil }

// MapSpec is a type:name reference to a table.
type MapSpec struct{ Type, Name string }

// ParseMaps reads a list of tables, as of header_checks or transport_maps.
func ParseMaps(value string) ([]MapSpec, error) { return nil, nil }
