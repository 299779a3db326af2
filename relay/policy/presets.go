package policy

import (
	"net/netip"

	"github.com/oxmailroute/oxmailroute/headers"
)

// authorities is where Debian keeps the certificates of public authorities.
const authorities = "/etc/ssl/certs/ca-certificates.crt"

// Conbool returns the gateway as Conbool's page for Open-Xchange fixes it.
// networks is the list of addresses that Conbool provides. The
// client certificate, SmartHost.CertFile and KeyFile, remains to be filled in.
func Conbool(networks ...netip.Prefix) Gateway {
	const host = "mail.conbool.com"
	return Gateway{
		Name: "conbool",
		SmartHost: SmartHost{
			Host:    host,
			Port:    25,
			TLSName: host,
			CAFile:  authorities,
		},
		Networks: append([]netip.Prefix(nil), networks...),
		Client:   ClientCertificate{Names: []string{host}},
		Markers: Markers{
			Domain:   DomainMarker{Prefix: "X-Conbool-", Value: "true"},
			Released: headers.When(headers.Match{Name: "X-Conbool-Released", Op: headers.Is, Values: []string{"yes"}}),
			Spam:     headers.When(headers.Match{Name: "X-Conbool-Flag", Op: headers.Is, Values: []string{"YES"}}),
			Reserved: []string{"X-Conbool-"},
		},
	}
}

// The smart hosts of Proofpoint Essentials, for [ProofpointEssentials]: the
// customer's region decides
// (https://help.proofpoint.com/Proofpoint_Essentials/Email_Security/Administrator_Topics/000_gettingstarted/SMTP_Authentication).
const (
	ProofpointUS = "outbound-us1.ppe-hosted.com"
	ProofpointEU = "outbound-eu1.ppe-hosted.com"
)

// ProofpointEssentials returns the gateway as Proofpoint's public pages
// describe it: the smart host of the customer's region takes mail on port 587
// by STARTTLS, from those who log in with a credential that is made in the
// administration ("SMTP Authentication", see [ProofpointUS]); it speaks TLS 1.2
// or higher, and delivers over TLS where the server offers it
// (https://help.proofpoint.com/Proofpoint_Essentials/Email_Security/Administrator_Topics/How_TLS_Delivery_Occurs).
//
// smartHost is ProofpointUS or ProofpointEU; passwordFile is the file on the
// server with the credential (see [Auth]); networks are the addresses of the
// region, as Proofpoint lists them for firewalls.
//
// The pages name no header by which mail can be told that has been there, and
// no client certificate. So the loop protection is the origin header's alone
// ([Loop]), which the policy must leave on, and the address identifies the
// gateway, which [Policy.Warnings] reports.
func ProofpointEssentials(smartHost, passwordFile string, networks ...netip.Prefix) Gateway {
	return Gateway{
		Name: "proofpoint",
		SmartHost: SmartHost{
			Host:   smartHost,
			Port:   587,
			CAFile: authorities,
			Auth:   Auth{PasswordFile: passwordFile},
		},
		Networks: append([]netip.Prefix(nil), networks...),
	}
}
