package sievetest

import (
	"fmt"
	"strings"
)

// DrawSettings draws settings of Pigeonhole for one of the releases, for
// NewServer. Extensions are on that aren't by default; some are off.
func DrawSettings(g *Generator, dovecot24 bool) []string {
	var lines []string
	in := func(v23, v24 string) string {
		if dovecot24 {
			return v24
		}
		return v23
	}
	set := func(percent int, name string, values ...string) {
		if g.Chance(percent) {
			lines = append(lines, name+" = "+Pick(g, values...))
		}
	}
	yes := func(percent int, name string) { set(percent, name, "yes", "yes", "no") }
	source := func(percent int, name string) {
		set(percent, name, "sender", "recipient", "orig_recipient", "user_email", "postmaster", `"<f@e.example>"`)
	}
	set(15, "sieve_max_actions", "0", "1", "2", "3", "5")
	set(20, "sieve_max_redirects", "0", "1", "2", "10")
	source(25, "sieve_redirect_envelope_from")
	set(20, "sieve_redirect_duplicate_period", in("1h", "3600"), in("2days", "172800"), in("90mins", "5400"))
	set(30, "sieve_user_email", "me@example.com", "Me@Example.com", "a@b", in("me", "jo@b"),
		"joe@example.org") // 2.4 doesn't start with a name alone
	set(25, "recipient_delimiter", "-", "+-", "_", "+")
	yes(25, "lda_mailbox_autocreate")
	if g.Chance(40) {
		lines = append(lines, "namespace inbox {\n  inbox = yes\n  mailbox "+Pick(g, "Spam",
			"A")+" {\n    special_use = \\Junk\n  }\n  mailbox B {\n    special_use = \\Sent\n  }\n}")
	}
	if !dovecot24 {
		set(20, "sieve_vacation_default_period", "0", "1h", "3d", "100d")
		set(20, "sieve_vacation_min_period", "0", "2h", "2d")
		set(20, "sieve_vacation_max_period", "0", "3h", "30d")
	} else if g.Chance(50) { // which must be in order
		list := Pick(g, []string{"0", "3d", "30d"}, []string{"2h", "1d", "3d"}, []string{"2d", "3d", "100d"}, []string{"1h", "2h", "3h"})
		lines = append(lines, "sieve_vacation_min_period = "+list[0], "sieve_vacation_default_period = "+list[1],
			"sieve_vacation_max_period = "+list[2])
	}
	set(15, "sieve_vacation_default_subject", "Gone", "Weg für immer", `"a b"`)
	set(20, "sieve_vacation_default_subject_template", in("Re: %%$ %%{subject}", "Re: %%{subject} %%{subject}"), "Away", "%%{subject}",
		"%%{subject} é")
	if !dovecot24 {
		set(15, "sieve_vacation_max_subject_codepoints", "9", "20", "1")
	}
	yes(20, "sieve_vacation_to_header_ignore_envelope")
	yes(20, "sieve_vacation_send_from_recipient")
	if dovecot24 {
		set(25, "sieve_vacation_check_recipient", "no", "no", "yes")
	} else {
		yes(25, "sieve_vacation_dont_check_recipient")
	}
	yes(25, "sieve_vacation_use_original_recipient")
	source(25, "sieve_notify_mailto_envelope_from")
	set(20, "sieve_editheader_max_header_size", "1024", "1500", "3k")
	set(15, "sieve_include_max_includes", "1", "2", "3")
	set(15, "sieve_include_max_nesting_depth", "0", "1", "2")
	set(20, in("sieve_variables_max_variable_size", "sieve_variables_max_value_size"), "4000", "5k", "8k")
	set(10, in("sieve_variables_max_scope_size", "sieve_variables_max_scope_count"), "128", "300")
	if !dovecot24 {
		set(20, "sieve_duplicate_default_period", "1h", "3d")
		set(20, "sieve_duplicate_max_period", "1h", "3d")
	} else if g.Chance(20) {
		lines = append(lines, "sieve_duplicate_default_period = 1h", "sieve_duplicate_max_period = "+Pick(g, "2h", "3d"))
	}
	fields := func() []string {
		list := []string{Pick(g, "X-A", "x-b", "X-New", "Subject", "From", "received")}
		for g.Chance(40) {
			list = append(list, Pick(g, "X-A", "X-B", "To", "date", "Auto-Submitted"))
		}
		return list
	}
	for _, kind := range []string{"protected", "forbid_add", "forbid_delete"} {
		if !g.Chance(15) {
			continue
		}
		if !dovecot24 {
			lines = append(lines, "sieve_editheader_"+kind+" = "+strings.Join(fields(), " "))
			continue
		}
		for _, name := range fields() {
			block := "sieve_editheader_header " + name + " {\n"
			if kind != "forbid_delete" {
				block += "  forbid_add = yes\n"
			}
			if kind != "forbid_add" {
				block += "  forbid_delete = yes\n"
			}
			lines = append(lines, block+"}")
		}
	}
	on := []string{"editheader", "vacation-seconds", "imapflags", "vnd.dovecot.environment", "special-use", "vnd.dovecot.report",
		"vnd.dovecot.debug", "spamtest", "spamtestplus", "virustest", "mboxmetadata", "servermetadata"}
	var off []string
	for i := 0; i < len(on); i++ {
		if g.Chance(5) {
			on = append(on[:i], on[i+1:]...)
		}
	}
	for g.Chance(20) {
		off = append(off, Pick(g, "enotify", "reject", "vacation", "variables", "duplicate", "mime", "regex", "include", "copy", "imap4flags",
			"body", "date", "foreverypart"))
	}
	if dovecot24 {
		block := "sieve_extensions {\n"
		for _, x := range on {
			block += "  " + x + " = yes\n"
		}
		for _, x := range off {
			block += "  " + x + " = no\n"
		}
		lines = append(lines, block+"}")
	} else {
		line := "sieve_extensions = +" + strings.Join(on, " +")
		for _, x := range off {
			line += " -" + x
		}
		lines = append(lines, line)
	}
	for _, x := range []struct {
		name, field, most string
	}{{"spamtest", "X-Spam-Score", "10"}, {"virustest", "X-Virus-Score", "5"}} {
		lines = append(lines, fmt.Sprintf("sieve_%s_status_type = score", x.name), fmt.Sprintf("sieve_%s_status_header = %s: ([0-9.]+)", x.name,
			x.field),
			fmt.Sprintf("sieve_%s_%s = %s", x.name, in("max_value", "score_max_value"), x.most))
	}
	return lines
}
