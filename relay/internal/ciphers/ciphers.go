// Package ciphers finds settings that allow TLS without encryption.
package ciphers

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix/mta"
)

// Grades are the parameters by which smtpd(8) takes the grade of its ciphers,
// which depends on the level.
func Grades(own mta.Settings) []string {
	const mandatory, optional = "smtpd_tls_mandatory_ciphers", "smtpd_tls_ciphers"
	switch level := strings.ToLower(own.Value("smtpd_tls_security_level")); {
	case level == "encrypt":
		return []string{mandatory}
	case level == "may" && own.Value("smtpd_tls_wrappermode") == "no":
		return []string{optional}
	}
	return []string{mandatory, optional}
}

// Weak says which setting allows TLS without encryption, by the grade that
// one names: empty where none does. postconf(5) has "null" for that, and whoever
// changes a grade's list can do it with every other grade.
func Weak(s mta.Settings, name string) string {
	grade := strings.ToLower(s.Value(name))
	cipherlist := "tls_" + grade + "_cipherlist"
	for _, word := range strings.FieldsFunc(s.Value(cipherlist), func(r rune) bool { return strings.ContainsRune(": ,+", r) }) {
		if word == "eNULL" || word == "NULL" || word == "COMPLEMENTOFALL" {
			return name + " = " + grade + " (" + cipherlist + " has " + word + ")"
		}
	}
	return ""
}
