package relay

import (
	"net/netip"
	"strconv"
	"strings"
)

const (
	originValue    = "gateway"
	spamFlagHeader = "X-Spam-Flag"
	spamFlagValue  = "YES"
)

// names are the names of everything that is emitted for a gateway.
type names struct {
	owner string // of the managed blocks

	scope, transport, bypass, bypassMIME, strip, leave, certName, certs string // files
	clients, origin, spam, leaveOriginFile, pass, hosted, postscreen    string // files
	marker, fold, markers                                               string // files
	tlsPolicy, authDemand, back, others                                 string // files of the way to the smart host and back
	early, certsData, behind, ehlo                                      string // files of the gateway's listener
	mailboxes, aliases                                                  string // files, where there is no base
	seals                                                               string // file: the lists of the managed blocks' lines

	sort, reEntry                                 string // files of what Sieve sends
	cleanupSort, cleanupGenerated, cleanupReEntry string // its cleanup services
	sieveMilters, reEntryHeader                   string // its parameters

	smartHost, gate, direct, store, stripGate, sortGate               string // transports
	cleanupIn, cleanupStrip, cleanupOut, cleanupTrusted, cleanupShare string // cleanup services

	dataRestrictions, endOfData, earlyClass, ownData, ehloMaps                                string // parameters of the gateway's listener
	clientRestrictions, recipientRestrictions, class                                          string // parameters
	ownHeader, ownMIME, ownNested, stripHeader, inHeader, outHeader, leaveHeader, leaveOrigin string // parameters: checks

	mailName string // mail_name of the gateway's listener, by which cleanup knows its Received: line
}

// ownerPrefix begins the name that generated blocks and files have.
const ownerPrefix = "oxmailroute-"

func newNames(gateway string) names {
	g := gateway
	if g == "" {
		g = "-"
	}
	return names{
		owner: ownerPrefix + g,
		scope: g + "_scope", transport: g + "_transport", bypass: g + "_bypass", bypassMIME: g + "_bypass_mime",
		strip: g + "_strip", leave: g + "_leave", certName: g + "_cert_name", certs: g + "_certs",
		clients: g + "_clients.cidr", origin: g + "_origin.cidr", spam: g + "_spam",
		mailboxes: g + "_mailboxes", aliases: g + "_aliases", seals: g + "_seals",
		smartHost: g, gate: g + "-gate", direct: g + "-direct", store: g + "-store", stripGate: g + "-strip",
		cleanupIn: g + "-cleanup-in", cleanupStrip: g + "-cleanup-strip", cleanupOut: g + "-cleanup-out",
		cleanupTrusted: g + "-cleanup-trusted", cleanupShare: g + "-cleanup-share",
		clientRestrictions: g + "_client_restrictions", recipientRestrictions: g + "_recipient_restrictions", class: g + "_in",
		ownHeader: g + "_own_header_checks", ownMIME: g + "_own_mime_header_checks", ownNested: g + "_own_nested_header_checks",
		stripHeader: g + "_strip_header_checks", inHeader: g + "_in_header_checks", outHeader: g + "_out_header_checks",
		leaveHeader: g + "_leave_header_checks", leaveOrigin: g + "_leave_origin_header_checks", leaveOriginFile: g + "_leave_origin",
		pass: g + "_pass.cidr", hosted: g + "_hosted.cidr", postscreen: g + "_postscreen.cidr",
		marker: g + "_marker", fold: g + "_fold", markers: g + "_markers",
		tlsPolicy: g + "_tls_policy", authDemand: g + "_auth_demand", back: g + "_return", others: g + "_others",
		early: g + "_early.cidr", certsData: g + "_certs_data", behind: g + "_behind", ehlo: g + "_ehlo.cidr",
		dataRestrictions: g + "_data_restrictions", endOfData: g + "_end_of_data_restrictions", earlyClass: g + "_early",
		ownData: g + "_own_data", ehloMaps: g + "_ehlo_keyword_address_maps",
		sort: g + "_sort", sortGate: g + "-sort",
		cleanupSort: g + "-cleanup-sort", cleanupGenerated: g + "-cleanup-generated",
		sieveMilters: g + "_sieve_milters",
		reEntry:      g + "_reentry", cleanupReEntry: g + "-cleanup-reentry", reEntryHeader: g + "_reentry_header_checks",
		mailName: strings.ToUpper(g[:1]) + g[1:] + "In",
	}
}

// forGateway are the names for a further gateway: its own for what it has for
// itself, the first one's for the rest.
func (n names) forGateway(gateway string) names {
	g := newNames(gateway)
	n.bypass, n.marker, n.fold, n.markers = g.bypass, g.marker, g.fold, g.markers
	n.certName, n.certs, n.clients, n.origin, n.spam = g.certName, g.certs, g.clients, g.origin, g.spam
	n.pass, n.hosted, n.tlsPolicy, n.authDemand, n.back, n.others = g.pass, g.hosted, g.tlsPolicy, g.authDemand, g.back, g.others
	n.smartHost, n.gate, n.cleanupIn, n.cleanupOut = g.smartHost, g.gate, g.cleanupIn, g.cleanupOut
	n.clientRestrictions, n.recipientRestrictions, n.class = g.clientRestrictions, g.recipientRestrictions, g.class
	n.inHeader, n.outHeader, n.mailName = g.inHeader, g.outHeader, g.mailName
	n.early, n.certsData, n.behind, n.ehlo = g.early, g.certsData, g.behind, g.ehlo
	n.dataRestrictions, n.endOfData, n.earlyClass, n.ownData, n.ehloMaps = g.dataRestrictions, g.endOfData, g.earlyClass, g.ownData, g.ehloMaps
	return n
}

func port(a netip.AddrPort) string { return strconv.Itoa(int(a.Port())) }
