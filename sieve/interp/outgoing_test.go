package interp_test

import (
	"fmt"
	"strings"
)

// outgoingCase is a script that sends something, or might.
type outgoingCase struct {
	name, script, message, from, to string
	sends                           bool
}

const plainOutgoing = "From: Joe Doe <joe@example.net>\nTo: user@example.org\nSubject: hello\nMessage-ID: <1@x>\n\nbody\n"

// outgoingCases are the cases that TestOutgoingServer asks dovecot-lda about.
func outgoingCases() []outgoingCase {
	var out []outgoingCase
	add := func(name, script, message string, sends bool) {
		out = append(out, outgoingCase{name, script, message, "joe@example.net", "user@example.org", sends})
	}
	envelope := func(name, script, message, from, to string, sends bool) {
		out = append(out, outgoingCase{name, script, message, from, to, sends})
	}
	// header is a message to the user with more fields.
	header := func(fields string) string { return "To: user@example.org\n" + fields + "\nbody\n" }

	const vacation = `require "vacation"; vacation `
	long := strings.Repeat("long words of a subject ", 20)
	for _, tt := range []struct {
		name, args string
	}{
		{"plain", `"I am away."`},
		{"subject", `:subject "Out of office" "x"`},
		{"empty subject", `:subject "" "x"`},
		{"8-bit subject", `:subject "Bin weg – grüße" "x"`},
		{"8-bit subject in the middle", `:subject "one two grüße three four" "x"`},
		{"8-bit subject, all of it", `:subject "Я в отпуске до понедельника, пишите позже" "x"`},
		{"long 8-bit subject", `:subject "` + strings.Repeat("grüße an alle ", 15) + `" "x"`},
		{"long Cyrillic subject", `:subject "` + strings.Repeat("привет всем ", 15) + `" "x"`},
		{"long word of 8-bit", `:subject "` + strings.Repeat("ü", 100) + `" "x"`},
		{"late 8-bit", `:subject "` + strings.Repeat("abcde ", 11) + `grüße" "x"`},
		{"long subject", `:subject "` + long + `" "x"`},
		{"long subject without spaces", `:subject "` + strings.Repeat("x", 200) + ` y" "x"`},
		{"subject of 256 characters", `:subject "` + strings.Repeat("é", 256) + `" "x"`},
		{"subject of 257 characters", `:subject "` + strings.Repeat("é", 257) + `" "x"`},
		{"subject of 300 characters", `:subject "` + strings.Repeat("a", 300) + `" "x"`},
		{"subject with a tab", `:subject "a` + "\t" + `b" "x"`},
		{"subject on two lines", ":subject \"a\nb\" \"x\""},
		{"subject with what looks encoded", `:subject "=?utf-8?q?x?= b" "x"`},
		{"subject with what looks encoded and 8-bit", `:subject "ü =?utf-8?q?x?= b" "x"`},
		{"subject with equals, question and underscore", `:subject "ü a=b?c_d" "x"`},
		{"subject with four octets", `:subject "` + strings.Repeat("\U0001f600", 30) + `" "x"`},
		{"subject with quotes", `:subject "say \"hi\"" "x"`},
		{"from", `:from "me@example.org" "x"`},
		{"from with a name", `:from "The User <me@example.org>" "x"`},
		{"from with an 8-bit name", `:from "Jürgen <me@example.org>" "x"`},
		{"from with a long name", `:from "` + strings.Repeat("Name ", 20) + `<me@example.org>" "x"`},
		{"handle", `:handle "h" "x"`},
		{"days", `:days 3 "x"`},
		{"8-bit reason", `"Ich bin weg – schöne Grüße"`},
		{"reason of many lines", "\"one\ntwo\n\nthree\n\""},
		{"reason with dots", "text:\n..\n..x\n.y\n.\n"},
		{"reason with a long line", `"` + strings.Repeat("x", 2000) + `"`},
		{"empty reason", `""`},
		{"MIME", ":mime text:\nContent-Type: text/html\n\n<b>away</b>\n.\n"},
		{"MIME with 8-bit", ":mime text:\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nübung\n.\n"},
		{"MIME without a header", `:mime "x"`},
		{"MIME with parts", ":mime text:\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\nx\n--b--\n.\n"},
	} {
		add("vacation "+tt.name, vacation+tt.args+";", plainOutgoing, true)
	}
	add("vacation with CR and LF", `require ["vacation", "encoded-character"]; vacation "a${hex:0a}b${hex:0d}c${hex:0d 0a}d";`,
		plainOutgoing, true)
	add("vacation with a line break in the subject",
		`require ["vacation", "encoded-character"]; vacation :subject "a${hex:0a}X-Evil: b" "x";`, plainOutgoing, true)
	add("vacation with a control character in the subject",
		`require ["vacation", "encoded-character"]; vacation :subject "a${hex:01}b" "x";`, plainOutgoing, true)
	add("vacation with variables",
		`require ["vacation", "variables"]; if header :matches "subject" "*" { vacation :subject "Re: ${1}" "You wrote: ${1}"; }`,
		plainOutgoing, true)
	add("vacation with a line break in :from",
		`require ["vacation", "variables", "encoded-character"]; set "f" "a${hex:0a} <b@c>"; vacation :from "${f}" "x";`, plainOutgoing, true)
	add("vacation with a :from that is none", `require ["vacation", "variables"]; set "f" "not an address"; vacation :from "${f}" "x";`,
		plainOutgoing, true)
	add("vacation with an empty :from", `require ["vacation", "variables"]; set "f" ""; vacation :from "${f}" "x";`, plainOutgoing, true)
	add("vacation with seconds", `require ["vacation", "vacation-seconds"]; vacation :seconds 60 "x";`, plainOutgoing, true)
	add("vacation and a changed header",
		`require ["vacation", "editheader"]; deleteheader "subject"; addheader "Subject" "new"; addheader "References" "<9@x>"; vacation "x";`,
		plainOutgoing, true)
	add("vacation and a List-Id of the script's own", `require ["vacation", "editheader"]; addheader "List-Id" "x"; vacation "x";`,
		plainOutgoing, false)
	add("vacation and To of the script's own", `require ["vacation", "editheader"]; addheader "To" "user@example.org"; vacation "x";`,
		"From: joe@example.net\n\n", true)

	for _, tt := range []struct {
		name, fields string
		sends        bool
	}{
		{"no subject", "", true},
		{"empty subject", "Subject:\n", true},
		{"blank subject", "Subject:   \n", true},
		{"subject with white space around", "Subject: \t hi \t \n", true},
		{"encoded subject", "Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?= an =?iso-8859-1?q?alle_=E9?=\n", true},
		{"8-bit subject", "Subject: grüße an alle\n", true},
		{"Latin-1 subject", "Subject: gr\xfc\xdfe an alle\n", true},
		{"folded subject", "Subject: one\n two\n\tthree\n", true},
		{"subject that begins with a fold", "Subject:\n one\n", true},
		{"subject of an unknown charset", "Subject: =?x-none?q?a=E9?=\n", true},
		{"two subjects", "Subject: one\nSubject: two\n", true},
		{"very long subject", "Subject: " + long + "\n", true},
		{"very long encoded subject", "Subject: " + strings.Repeat("=?utf-8?q?gr=C3=BC=C3=9Fe_?=\n ", 30) + "x\n", true},
		{"Re subject", "Subject: Re: Auto: x\n", true},
		{"subject with NUL", "Subject: a\x00b\n", true},
		{"no Message-ID", "Subject: x\nReferences: <0@x>\n", true},
		{"Message-ID", "Message-ID: <1@x>\n", true},
		{"Message-ID without brackets", "Message-ID: 1@x\n", true},
		{"Message-ID with a comment", "Message-ID: (c) <1@x> (d)\n", true},
		{"Message-ID without an at sign", "Message-ID: <1x>\n", true},
		{"Message-ID with blanks", "Message-ID: < 1@x >\n", true},
		{"Message-ID that is quoted", "Message-ID: <\"a b\"@x>\n", true},
		{"two in Message-ID", "Message-ID: <1> <2@x> <3@x>\n", true},
		{"Message-ID that is folded", "Message-ID:\n <1@x>\n", true},
		{"References", "Message-ID: <3@x>\nReferences: <1@x> <2@x>\n", true},
		{"folded References", "Message-ID: <3@x>\nReferences: <1@x>\n <2@x>\n\t<4@x>\n", true},
		{"many References", "Message-ID: <3@x>\nReferences:" + strings.Repeat(" <0123456789@host.example.org>", 30) + "\n", true},
		{"empty References", "Message-ID: <3@x>\nReferences:\n", true},
		{"References with white space behind", "Message-ID: <3@x>\nReferences: <1@x>  \n", true},
		{"In-Reply-To", "Message-ID: <3@x>\nIn-Reply-To: <1@x>\n", true},
		{"name of the sender", "From: Joe Doe <joe@example.net>\n", true},
		{"name of the sender in quotes", "From: \"Doe, Joe\" <joe@example.net>\n", true},
		{"name of the sender with a dot", "From: Joe Q. Doe <JOE@Example.net>\n", true},
		{"name of the sender with quotes inside", "From: \"Joe \\\"Q\\\" O'Doe\" <joe@example.net>\n", true},
		{"name of the sender that is encoded", "From: =?utf-8?q?J=C3=B6?= Doe <joe@example.net>\n", true},
		{"name of the sender in 8-bit", "From: Jö Doe <joe@example.net>\n", true},
		{"name of the sender as a comment", "From: joe@example.net (Joe (the) Doe)\n", true},
		{"name of the sender in words and quotes", "From: Joe \"the man\" Doe <joe@example.net>\n", true},
		{"very long name of the sender", "From: " + strings.Repeat("Joe ", 40) + "<joe@example.net>\n", true},
		{"sender among others", "From: Other <x@y>, Joe <joe@example.net>\n", true},
		{"sender in a group", "From: g: Joe <joe@example.net>;\n", true},
		{"sender with a route", "From: Joe <@a,@b:joe@example.net>\n", true},
		{"sender who is not in From", "From: Other <x@y>\n", true},
		{"sender in Sender", "From: Joe <joe@example.net>\nSender: Doe <joe@example.net>\n", true},
		{"sender in Resent-From", "From: Joe <joe@example.net>\nResent-From: Again <joe@example.net>\n", true},
		{"broken From", "From: Joe <joe@example.net\n", true},
		{"folded From", "From: Joe\n Doe <joe@example.net>\n", true},
		{"Reply-To", "From: Joe <joe@example.net>\nReply-To: other@example.net\n", true},
		{"no From", "Subject: x\n", true},
		{"List-Id", "List-Id: x\n", false},
		{"Auto-Submitted", "Auto-Submitted: auto-replied\n", false},
		{"Auto-Submitted: no", "Auto-Submitted: No\n", true},
		{"Auto-Submitted: no with white space", "Auto-Submitted: no \n", false},
		{"Precedence: bulk", "Precedence: Bulk\n", false},
		{"Precedence: bulk with white space", "Precedence: bulk \n", true},
		{"Precedence: first-class", "Precedence: first-class\n", true},
		{"X-Auto-Response-Suppress: All", "X-Auto-Response-Suppress: DR, All\n", false},
		{"X-Auto-Response-Suppress: OOF", "X-Auto-Response-Suppress: oof\n", false},
		{"X-Auto-Response-Suppress: DR", "X-Auto-Response-Suppress: DR\n", true},
		{"X-Loop", "X-Loop: user@example.org\n", true},
	} {
		add("vacation of "+tt.name, vacation+`"x";`, header(tt.fields), tt.sends)
		if strings.Contains(tt.fields, "\n ") || strings.Contains(tt.fields, " \n") {
			add("vacation of "+tt.name+" with CRLF", vacation+`"x";`, strings.ReplaceAll(header(tt.fields), "\n", "\r\n"), tt.sends)
		}
	}
	const listed = `require "vacation"; vacation :addresses ["Other@Example.org", "third@example.org"] "x";`
	add("vacation by :addresses", listed, "To: other@example.org\n\n", true)
	add("vacation by :addresses in Cc", listed, "To: x@y\nCc: third@example.org, other@example.org\n\n", true)
	add("vacation by :addresses in Bcc", listed, "Bcc: third@example.org\n\n", true)
	add("vacation by nobody", listed, "To: x@y\n\n", false)
	add("vacation by :addresses before the recipient", listed, "To: third@example.org\nCc: user@example.org\n\n", true)
	add("vacation by group", listed, "To: g: user@example.org;\n\n", true)
	add("vacation by a broken list", listed, "To: <x, user@example.org\n\n", true)
	envelope("vacation to :addresses", listed, header(""), "OTHER@example.org", "user@example.org", false)
	envelope("vacation to oneself", vacation+`"x";`, header(""), "User@Example.org", "user@example.org", false)
	envelope("vacation to nobody", vacation+`"x";`, header(""), "", "user@example.org", false)
	for _, from := range []string{"MAILER-DAEMON@example.net", "mailer-daemon-x@example.net", "listserv@example.net", "Majordomo@x",
		"list-request@x", "list-request-x@x",
		"x@y-request", "owner-list@x", "Owner-list@x", "postmaster", "\"a b\"@c.example", "J.Doe@Example.NET", "a+b@c"} {
		sends := !strings.HasPrefix(from, "MAILER") && !strings.HasPrefix(from, "listserv") && !strings.HasPrefix(from, "Majordomo") &&
			!strings.HasPrefix(from, "list-request") && !strings.HasPrefix(from, "owner")
		envelope("vacation to "+from, vacation+`"x";`, header("From: A b <a b@c>\n"), from, "user@example.org", sends)
	}
	envelope("vacation of another case", vacation+`"x";`, header(""), "joe@example.net", "User@Example.ORG", true)
	envelope("vacation of a quoted recipient", vacation+`"x";`, "To: \"a b\"@example.org\n\n", "joe@example.net", "\"a b\"@example.org", true)
	envelope("vacation of a detail", vacation+`"x";`, "To: user+d@example.org\n\n", "joe@example.net", "user+d@example.org", true)

	const reject = `require ["reject", "variables", "encoded-character", "editheader"]; `
	for _, tt := range []struct {
		name, script, message string
		sends                 bool
	}{
		{"plain", `reject "no";`, plainOutgoing, true},
		{"8-bit", `reject "Nein, grüße";`, plainOutgoing, true},
		{"lines", "reject \"one\ntwo\n\n.three\n\";", plainOutgoing, true},
		{"text", "reject text:\none\n..two\n.\n;", plainOutgoing, true},
		{"bare LF", `reject "a${hex:0a}b${hex:0d}c";`, plainOutgoing, true},
		{"long line", `reject "` + strings.Repeat("x", 1500) + `";`, plainOutgoing, true},
		{"empty", `reject "";`, plainOutgoing, true},
		{"percent", `reject "100%t %n %r %%";`, plainOutgoing, true},
		{"variables", `if header :matches "subject" "*" { reject "not ${1}"; }`, plainOutgoing, true},
		{"changed header", `deleteheader "subject"; addheader "X-New" "1"; reject "no";`, plainOutgoing, true},
		{"CRLF", `reject "no";`, strings.ReplaceAll(plainOutgoing, "\n", "\r\n"), true},
		{"no header", `reject "no";`, "\nbody\n", true},
		{"no subject", `reject "no";`, "From: x@y\n\nbody\n", true},
		{"encoded subject", `reject "no";`, "Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\n\nbody\n", true},
		{"8-bit subject", `reject "no";`, "Subject: grüße\n\nbody\n", true},
		{"Latin-1 subject", `reject "no";`, "Subject: gr\xfc\xdfe\n\nbody\n", true},
		{"long subject", `reject "no";`, "Subject: " + long + "\n\nbody\n", true},
		{"long 8-bit subject", `reject "no";`, "Subject: " + strings.Repeat("ü", 60) + "\n\nbody\n", true},
		{"subject of 80", `reject "no";`, "Subject: " + strings.Repeat("x", 80) + "\n\nbody\n", true},
		{"folded subject", `reject "no";`, "Subject: one\n two\n\n", true},
		{"percent subject", `reject "no";`, "Subject: %r %n\n\n", true},
		{"Content-Type", `reject "no";`, "From: x@y\nContent-Type: multipart/mixed;\n boundary=x\nX-A: 1\n\n--x\n\n--x--\n", true},
		{"Return-Path", `reject "no";`, "Return-Path: <x@y>\nFrom: x@y\n\n", true},
		{"space before the colon", `reject "no";`, "Subject : x\nX-A:y\n\n", true},
		{"folds", `reject "no";`, "Received: from a\n\tby b;\n  x\nX-A: 1\n\n", true},
		{"junk lines", `reject "no";`, "X-A: 1\njunk\nX-B: 2\n\n", true},
		{"no body", `reject "no";`, "X-A: 1\n", true},
		{"no end", `reject "no";`, "X-A: 1", true},
		{"dot line", `reject "no";`, "X-A: 1\n.\nX-B: 2\n\n", true},
		{"raw Message-ID", `reject "no";`, "Message-ID: 1x (c)\n\n", true},
		{"Original-Recipient", `reject "no";`, "Original-Recipient: rfc822;x@y\n\n", true},
		{"Auto-Submitted", `reject "no";`, "Auto-Submitted: auto-replied\n\n", false},
		{"Auto-Submitted: no", `reject "no";`, "Auto-Submitted: No\n\n", true},
		{"two Auto-Submitted", `reject "no";`, "Auto-Submitted: no\nAuto-Submitted: auto-replied\n\n", true},
		{"List-Id", `reject "no";`, "List-Id: x\nPrecedence: bulk\n\n", true},
		{"8-bit header", `reject "no";`, "X-A: \xff\xfe ü\n\n", true},
		{"NUL in the header", `reject "no";`, "X-A: a\x00b\nSubject: a\x00b\n\n", true},
	} {
		add("reject "+tt.name, reject+tt.script, tt.message, tt.sends)
	}
	envelope("reject to nobody", reject+`reject "no";`, plainOutgoing, "", "user@example.org", false)
	envelope("reject to nobody with Return-Path", reject+`reject "no";`, "Return-Path: <x@y>\n"+plainOutgoing, "", "user@example.org", true)
	envelope("reject to nobody with a broken Return-Path", reject+`reject "no";`, "Return-Path: x y\n"+plainOutgoing, "", "user@example.org",
		false)
	envelope("reject to nobody with a null Return-Path", reject+`reject "no";`, "Return-Path: <>\n"+plainOutgoing, "", "user@example.org",
		false)
	envelope("reject to nobody with a bare Return-Path", reject+`reject "no";`, "Return-Path: x@Y (c)\n"+plainOutgoing, "",
		"user@example.org", true)
	envelope("reject quoted", reject+`reject "no";`, plainOutgoing, "\"a b\"@c.example", "\"x y\"@Example.org", true)
	envelope("reject in capitals", reject+`reject "no";`, plainOutgoing, "JOE@Example.NET", "User@Example.ORG", true)
	envelope("reject postmaster", reject+`reject "no";`, plainOutgoing, "postmaster", "user@example.org", true)

	const notify = `require ["enotify", "variables", "encoded-character"]; notify `
	for _, tt := range []struct{ name, args string }{
		{"plain", `"mailto:a@b"`},
		{"message", `:message "Hi" "mailto:a@b"`},
		{"empty message", `:message "" "mailto:a@b"`},
		{"8-bit message", `:message "Grüße an alle" "mailto:a@b"`},
		{"long message", `:message "` + long + `" "mailto:a@b"`},
		{"long 8-bit message", `:message "` + strings.Repeat("grüße ", 60) + `" "mailto:a@b"`},
		{"message of lines", ":message \"a\nb\" \"mailto:a@b\""},
		{"message with LF", `:message "a${hex:0a}X-Evil: b" "mailto:a@b"`},
		{"message of 256", `:message "` + strings.Repeat("x", 256) + `" "mailto:a@b"`},
		{"message of 257", `:message "` + strings.Repeat("x", 257) + `" "mailto:a@b"`},
		{"message of 8-bit at the bound", `:message "` + strings.Repeat("x", 255) + `ü" "mailto:a@b"`},
		{"message that looks encoded", `:message "=?utf-8?q?x?=" "mailto:a@b"`},
		{"high", `:importance "1" "mailto:a@b"`},
		{"normal", `:importance "2" "mailto:a@b"`},
		{"low", `:importance "3" "mailto:a@b"`},
		{"from", `:from "me@example.org" "mailto:a@b"`},
		{"from with a name", `:from "The User <me@example.org>" "mailto:a@b"`},
		{"from with an 8-bit name", `:from "Jürgen <me@example.org>" "mailto:a@b"`},
		{"two recipients", `"mailto:a@b%2cc@D"`},
		{"named recipient", `"mailto:Joe%20%3ca@b%3e"`},
		{"recipient in quotes", `"mailto:%22a%20b%22@c"`},
		{"to", `"mailto:a@b?to=c@d,e@f"`},
		{"cc", `"mailto:a@b?cc=c@d"`},
		{"only cc", `"mailto:?cc=c@d"`},
		{"the same in cc and to", `"mailto:?cc=c@d&to=e@f&to=C@D,c@D&cc=e@f"`},
		{"nobody", `"mailto:"`},
		{"nine recipients", `"mailto:a1@b%2ca2@b%2ca3@b%2ca4@b%2ca5@b%2ca6@b%2ca7@b?to=a8@b,a9@b&cc=a10@b"`},
		{"subject", `"mailto:a@b?subject=Hi%20there"`},
		{"two subjects", `"mailto:a@b?subject=1&subject=2"`},
		{"empty subject", `"mailto:a@b?subject="`},
		{"subject without a value", `"mailto:a@b?subject"`},
		{"subject and message", `:message "m" "mailto:a@b?subject=s"`},
		{"long subject", `"mailto:a@b?subject=` + strings.ReplaceAll(long, " ", "%20") + `"`},
		{"body", `"mailto:a@b?body=hello%20world"`},
		{"body of lines", `"mailto:a@b?body=a%0d%0ab%0ac%0dd%0d%0a.%0d%0a"`},
		{"8-bit body", `"mailto:a@b?body=gr%c3%bc%c3%9fe"`},
		{"empty body", `"mailto:a@b?body="`},
		{"two bodies", `"mailto:a@b?body=1&BODY=2"`},
		{"headers", `"mailto:a@b?x-one=1&X-TWO-three=2&reply-to=x@y&Reply-To=z@y"`},
		{"header without a value", `"mailto:a@b?x-one"`},
		{"long header", `"mailto:a@b?x-one=` + strings.ReplaceAll(long, " ", "%20") + `"`},
		{"reserved headers", `"mailto:a@b?from=x@y&sender=x@y&auto-submitted=no&received=x&message-id=x&data=x&bcc=x@y&references=x&in-reply-to=x&resent-to=x@y"`},
		{"Date", `"mailto:a@b?x-date=x"`},
		{"importance as a header", `"mailto:a@b?importance=x&precedence=list"`},
		{"many headers", `"mailto:a@b?x1=1&x2=2&x3=3&x4=4&x5=5&x6=6&x7=7&x8=8&x9=9&x10=10&x11=11&x12=12&x13=13&x14=14&x15=15&x16=16&x17=17&x18=18"`},
		{"options", `:options ["a=b"] "mailto:a@b"`},
	} {
		add("notify "+tt.name, notify+tt.args+";", plainOutgoing, tt.name != "nobody")
	}
	add("notify with variables", `require ["enotify", "variables"]; if header :matches "subject" "*" { set :encodeurl "u" "${1} & more"; notify :message "re: ${1}" "mailto:a@b?body=${u}"; }`, plainOutgoing, true)
	add("notify with variables that are no URI", `require ["enotify", "variables"]; set "u" "mailto:a b"; notify "${u}";`, plainOutgoing,
		false)
	add("notify twice", notify+`"mailto:a@b?body=1"; notify "mailto:A@B%2ca@B%2cc@d?body=2"; notify "mailto:a@b";`, plainOutgoing, true)
	add("notify nobody twice", notify+`"mailto:a@b?body=1"; notify "mailto:";`, plainOutgoing, true)
	for _, tt := range []struct {
		name, fields string
		sends        bool
	}{
		{"no subject", "", true}, {"empty subject", "Subject:\n", true}, {"encoded subject", "Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\n", true},
		{"8-bit subject", "Subject: grüße\n", true}, {"long subject", "Subject: " + long + "\n", true},
		{"folded subject", "Subject: a\n\tb \n", true},
		{"Auto-Submitted", "Auto-Submitted: auto-replied\n", false}, {"Auto-Submitted: no", "Auto-Submitted: no\n", true},
		{"two Auto-Submitted", "Auto-Submitted: no\nAuto-Submitted: auto-replied\n", false}, {"list", "List-Id: x\nPrecedence: bulk\n", true},
	} {
		add("notify of "+tt.name, notify+`"mailto:a@b";`, header(tt.fields), tt.sends)
	}
	envelope("notify of the null sender", notify+`"mailto:a@b";`, plainOutgoing, "", "user@example.org", true)
	envelope("notify of the null sender with from", notify+`:from "me@example.org" "mailto:a@b";`, plainOutgoing, "", "user@example.org", true)
	envelope("notify of a quoted recipient", notify+`"mailto:a@b";`, plainOutgoing, "joe@example.net", "\"a b\"@Example.org", true)
	for i := range out {
		out[i].name = fmt.Sprintf("%03d %s", i, out[i].name)
	}
	return out
}
