package mta

import (
	"net/netip"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// Instance is one Postfix as it is configured: what [Instance.Route] asks. It is
// immutable and safe for concurrent use. The zero Instance has no listener.
type Instance struct {
	hostname   string
	rewriting  rewriting
	remote     *rewriting                  // of other clients' headers; nil: they stay
	canonical  func(address string) string // rewriting's, made once
	listeners  []*listener                 // those of smtpd(8)
	pickup     *listener
	passes     []*pass
	router     router
	addresses  postfix.Search // mail_addr_find(3)
	access     postfix.Search // access(5)
	aliases    *tableList     // virtual_alias_maps where no Directory answers
	expand     bool           // propagate_unmatched_extensions has virtual
	directory  Directory      // nil: lists
	lists      *tables
	leaves     map[string]*leaf // by transport, where it changes something
	reinjects  *listener        // where mail comes back from a content filter
	agent      localAgent
	dead       map[string]string // transports whose agent ends when it is started, and why
	forwarding *listener         // where local(8) brings mail back in
	untrusted  bool              // allow_untrusted_routing
	// submits are the transports of filters that hand mail back to sendmail(1).
	submits map[string]bool
	// agents and deliver are the caller's, received its look at the line that
	// smtpd(8) writes.
	agents   map[string]Agent
	deliver  func(w *Way, h Hop, to string)
	received func(w *Way) bool
	run      func(w *Way, h Hop, to string, argv []string) bool
	pipes    map[string]postfix.Service // of pipe(8), by name
	source   func(file string, line int) string
	users    map[string]bool // nil: all names
	// standing are the assumptions of every decision. follow says that a next hop
	// on this machine is looked for among the listeners.
	standing []Assumption
	follow   bool
	own      []netip.Addr
	// limits are virtual_alias_recursion_limit, virtual_alias_expansion_limit and
	// virtual_alias_address_length_limit; soft is soft_bounce, filterHop
	// default_filter_nexthop, putOff defer_transports, and doubleBounce the name in
	// double_bounce_sender.
	limits       [3]int
	soft         bool
	filterHop    string
	oneCopy      bool // enable_original_recipient = no: the address before aliases makes no difference
	mailName     string
	putOff       []string
	doubleBounce string
}

// maxHops is how often a message comes back in before it is returned.
const maxHops = 10

// listener is where a message enters.
type listener struct {
	name        string
	rule, label string // of the step by which a message enters
	pickup      bool
	at          place
	rules       *smtpd // nil for pickup
	cleanup     *cleanup
	filter      string // content_filter
	// maps says that addresses are mapped: no no_address_mappings.
	maps    bool
	milters string // the parameter that names some
	limit   int64  // message_size_limit, 0: none
	soft    bool   // soft_bounce
	// local are the clients whose headers are rewritten
	// (local_header_rewrite_clients), own the server's addresses among them;
	// ownOpen: there are more.
	local     []rewriteClient
	own       []netip.Addr
	ownOpen   bool
	forwarded bool    // smtpd_authorized_xforward_hosts has this machine
	screen    *screen // postscreen(8) before it; nil: there is none
	utf8      detection
}

// screen is postscreen(8): clients of the networks it hands over untested.
type screen struct{ untested networks }

// cleanup is one cleanup(8) service with its checks and mappings.
type cleanup struct {
	at                   place
	header, mime, nested []CheckFile
	body                 []CheckFile // body_checks
	bodyLimit            int         // body_checks_size_limit, 0: none
	unread               []string    // tables of these that can't be read here
	mapping              *mapping    // nil: none
	rules                headerRules // for the header beside the checks
	noAliases            bool        // virtual_alias_maps is empty here
	milters              string      // non_smtpd_milters
	hopLimit             int         // hopcount_limit
	flat                 bool        // disable_mime_input_processing
}

// leaf is what a transport does to mail that it sends.
type leaf struct {
	checks   []CheckFile // smtp_header_checks
	mime     []CheckFile // smtp_mime_header_checks
	generic  *generic    // smtp_generic_maps
	forwards bool        // smtp_send_xforward_command
	ascii    bool        // smtp_discard_ehlo_keywords has smtputf8
	fresh    bool        // no smtp_connection_cache_on_demand
}

// smtpd is what a listener asks of a session.
type smtpd struct {
	at            place
	hostname      string
	encrypt       bool
	offersTLS     bool
	sasl          bool
	networks      networks
	plaintextCode string
	codes         map[string]string // by the parameter that has one
	nullKey       string            // smtpd_null_access_lookup_key
	delayed       bool              // smtpd_delay_reject
	strict        bool              // strict_rfc821_envelopes
	unlisted      bool              // recipients
	unlistedFrom  bool              // senders
	logins        *tableList
	classes       map[string]restrictions
	listings      listings
	parents       bool            // access tables answer for subdomains
	lists         [5]restrictions // client, helo, sender, then relay and recipient in their order
	atData        [2]restrictions // at DATA and at its end
}

// hop is a transport and next hop with how it ends.
type hop struct {
	transport, nexthop string
	command            string // of the transport's service: smtp, lmtp, virtual, local, discard, error ...
	at                 place
}

// router is trivial-rewrite(8).
type router struct {
	local, aliasDomains, mailboxDomains, relayDomains *DomainList
	hosted                                            map[string]bool // for lists that can't be read
	opaque                                            bool
	own                                               []netip.Addr // the server's addresses
	ownOpen                                           bool         // there are more
	transport                                         *tableList
	transportSearch                                   postfix.Search
	senders, relayhosts, relocated                    *tableList
	search                                            postfix.Search
	byDefault, toLocal, toMailbox, toRelay            hop
	relayhost                                         string
	nullRelayhost, nullTransport                      string // keys for the empty sender
	relayhostAt                                       place
	commands                                          map[string]string
}
