package interp_test

import (
	"fmt"
	"strings"
)

// nastyRequire is all that the arguments below need.
const nastyRequire = `require ["fileinto", "envelope", "encoded-character", "comparator-i;ascii-numeric", "reject", "vacation", "vacation-seconds",
 "subaddress", "relational", "regex", "imap4flags", "copy", "body", "variables", "enotify", "environment", "mailbox", "date", "index", "ihave", "duplicate",
 "mime", "foreverypart", "extracttext", "editheader", "special-use", "mboxmetadata", "servermetadata", "spamtest", "virustest", "vnd.dovecot.environment"];
`

// nastyValues are what a variable has, written as in a script.
var nastyValues = func() []string {
	list := []string{
		``, ` `, `  a  `, `${hex:09}`, `a${hex:09}b`, `${hex:0d}`, `${hex:0a}`, `a${hex:0a}b`, `a${hex:0d 0a}b`, `a${hex:0d 0a}X-In: b`,
		`a${hex:0d 0a 20}b`, `a${hex:0d}b`,
		`${hex:0d 0a}`, `${hex:00}`, `a${hex:00}b`, `${hex:01}`, `${hex:07}x`, `${hex:7f}`, `${hex:1b}[0m`,
		`${hex:ff}`, `a${hex:ff}`, `${hex:c3}`, `é`, `${hex:c0 80}`, `${hex:ed a0 80}`, `${hex:f4 90 80 80}`, `${hex:c2 85}`, `${hex:ef bb bf}`,
		`${hex:ef bf be}`, `${hex:e2 80 a8}`, `e${hex:cc 81}`, `日本`, `😀`,
		`a`, `A`, strings.Repeat("a", 70), strings.Repeat("a", 250), strings.Repeat("a", 256), strings.Repeat("a", 998),
		strings.Repeat("a", 5000), strings.Repeat("é", 150), strings.Repeat("é", 2048), strings.Repeat("*", 2100), strings.Repeat(" ", 1400),
		strings.Repeat("日本", 700),
		strings.Repeat("word ", 100), strings.Repeat("a.", 100) + "a", strings.Repeat("a,", 100), strings.Repeat("(", 60),
		`../`, `/`, `//`, `a/`, `/a`, `a/b`, `a//b`, `..`, `.`, `a..b`, `.a`, `a.`, `~`, `~a`, `~/a`, `-`, `a.b`, `#a`, `new`, `cur`, `tmp`,
		`INBOX`, `inbox`, `INBOX.a`, `INBOX/a`, `inbox.a`, `Inbox `, `Sent`, `sent`, `Sent.a`, `Sent/../a`, `Junk`, `virtual/a`,
		`*`, `%`, `a*`, `*a*`, `a?b`, `*?`, `?`, `\\`, `\\*`, `\\?`, `a\\`, `\\a`, `\"`, `\"a\"`, `'`, "`", `$`, `${hex:24}{`, `${hex:24}{1}`,
		`${hex:24}{hex:41}`, `&`, `&-`, `&AOk-`, `&AOk`, `=?utf-8?q?a?=`, `=?utf-8?q?=00?=`, `=`,
		`a@b`, `a@b.example`, `A@B.Example`, `a@b@c`, `@b`, `a@`, `@`, `<a@b>`, `<a@b`, `a@b>`, `<>`, `A <a@b>`, `\"A B\" <a@b>`, `a@b, c@d`,
		`a@b c@d`, `a b@c`, `\"a b\"@c.example`, `\"a\\\"b\"@c`, `(c)a@b`, `a@b (c)`,
		`a@[1.2.3.4]`, `a@b.`, `a@.b`, `.a@b`, `a.@b`, `a..b@c`, `é@b`, `a@é`, `a+d@b`, ` a@b `, `<@r:a@b>`, `g: a@b;`, `undisclosed:;`, `a@b-`,
		`a@-b`, `a_b@c_d`, `a@b.1`, `a!b@c`, `a%b@c`, `a@b;x=y`, `bob`, `root`,
		`mailto:`, `mailto:a@b`, `mailto:a@b?subject=x%0Ay`, `mailto:a@b,c@d?cc=e@f&to=g@h`, `mailto:a%40b`, `mailto:a@b?x`, `mailto:%zz@b`,
		`mailto:a@b?body=%00`, `MAILTO:a@b`, `mailto://a@b`, `xmpp:a@b`, `http://x/`, `tel:1`, `:`, `a:b`, `mailto:a@b#f`,
		`(`, `)`, `[`, `]`, `{`, `}`, `a{`, `a{1`, `a{1}`, `a{2,1}`, `*a`, `+`, `a|b`, `|`, `a||b`, `()`, `^`, `$`, `^a$`, `.*`, `(a)(b)?`,
		`[[:alpha:]]+`, `[[:x:]]`, `[z-a]`, `[a-`, `(a)\\1`, `\\1`, `\\w+`, `a**`, `a+*`, `(a`, `a{256}`, `a{65536}`,
		`0`, `1`, `-1`, `+1`, `01`, ` 1`, `1 `, `1x`, `x1`, `1.5`, `1e3`, `1k`, `255`, `256`, `4294967295`, `4294967296`,
		`18446744073709551615`, `18446744073709551616`, `99999999999999999999999`, `5`, `10`, `50`, `100`, `101`,
		strings.Repeat("k", 50), strings.Repeat("k", 51), `good2`, `bad(`, `bad%`, `bad*`, `\"bad`, `bad]`, `\\Seen`, `\\seen \\Flagged`,
		`\\Recent`, `\\Foo`, `\\`, `$label1`, `a b`, `a(b`, `a]b`, `NIL`, `\\Answered \\Answered a A`,
		`Subject`, `subject:`, `X-A`, `x-a`, `From`, `To`, `from`, `to`, `auth`, `orcpt`, `Received`, `X A`, `Subject `,
		`X-Sieve-Redirected-From`, `Message-ID`, `Date`, `Content-Type`, `Bcc`,
		`year`, `month`, `date`, `julian`, `iso8601`, `std11`, `zone`, `weekday`, `hour`, `DATE`, `second`, `time`,
		`+0200`, `-0000`, `0200`, `+9999`, `+02:00`, `+2460`, `-1200`, `+1400`, `+020`, `UTC`, `+02000`,
		`\\Junk`, `\\junk`, `\\Sent`, `\\All`, `Junk\\`, `\\X`, `/private/x`, `/shared/x`, `/private/`, `/PRIVATE/x`, `private/x`,
		`/private//x`, `/private/x/`, `/private/x*`, `/other/x`, `/private/vendor/x`, `/shared`, `/private`,
		`location`, `name`, `phase`, `host`, `version`, `domain`, `remote-ip`, `vnd.dovecot.username`, `vnd.dovecot.default-mailbox`,
		`vnd.dovecot.config.x`, `vnd.dovecot`, `vnd.`, `NAME`,
		`low`, `normal`, `high`, `online`, `maybe`, `text/plain`, `text`, `text/`, `/plain`, `charset`, `boundary`, `filename`, `text/*`,
		`multipart/mixed`, `Content-Type: text/html${hex:0d 0a 0d 0a}x`, `x: y`,
		`editheader`, `nosuch`, `vnd.x`, `:`, `;`, `,`, `keep;`, `text:`, `"`,
	}
	for i, v := range list {
		if v == `"` {
			list[i] = `\"`
		}
	}
	return list
}()

// nastyArguments are the places for a value, written %s; a test stands in an if.
var nastyArguments = func() []string {
	list := []string{
		`fileinto "%s";`, `fileinto :create "%s";`, `fileinto :copy :create "%s";`, `fileinto :create "a%s";`, `fileinto :create "A.%s";`,
		`fileinto :create "%s.A"; `,
		`fileinto :specialuse "%s" "A";`, `fileinto :create :specialuse "%s" "B";`, `fileinto :specialuse "\\Junk" "%s";`,
		`fileinto :flags "%s" "A";`, `fileinto :flags ["\\Seen", "%s"] "A";`,
		`keep :flags "%s";`, `setflag "%s"; keep;`, `addflag "%s"; fileinto "A";`, `addflag ["\\Seen", "%s"]; keep;`,
		`setflag ["\\Seen", "a", "b"]; removeflag "%s"; keep;`,
		`setflag "f" ["a", "%s"]; fileinto :create "f${f}";`,
		`setflag "f" "a \\Seen"; addflag "f" "%s"; set :length "f" "${f}"; fileinto :create "f${f}";`,
		`setflag "f" "a \\Seen b"; removeflag "f" "%s"; set :length "f" "${f}"; fileinto :create "f${f}";`,
		`redirect "%s";`, `redirect :copy "%s"; fileinto "A";`, `redirect "a%s@b.example";`, `redirect "a@b%s.example";`,
		`vacation "%s";`, `vacation :subject "%s" "x";`, `vacation :from "%s" "x";`, `vacation :addresses "%s" "x";`,
		`vacation :addresses ["me@example.com", "%s"] "x";`, `vacation :handle "%s" "x";`, `vacation :mime "%s";`,
		`vacation :mime "Content-Type: text/plain; x=%s${hex:0d 0a 0d 0a}x";`, `vacation :subject "a %s b" :from "Me <me@example.com>" "x%sy";`,
		`reject "%s";`, `reject "a%sb";`,
		`notify "%s";`, `notify "mailto:%s";`, `notify "mailto:n@e.example?subject=%s";`, `notify :message "%s" "mailto:n@e.example";`,
		`notify :from "%s" "mailto:n@e.example";`, `notify :options "%s" "mailto:n@e.example";`,
		`notify :options ["a=b", "%s"] "mailto:n@e.example";`, `notify :message "x %s y" :from "bob@example.com" "mailto:n@e.example?body=b";`,
		`addheader "%s" "v"; keep;`, `addheader "X%s" "v"; keep;`, `addheader "X-New" "%s"; keep;`, `addheader :last "X-New" "a%sb"; keep;`,
		`addheader "Subject" "%s"; keep;`,
		`deleteheader "%s"; keep;`, `deleteheader "X-A" "%s"; keep;`, `deleteheader :contains "X-A" "%s"; keep;`,
		`deleteheader :matches "X-A" "%s"; keep;`, `deleteheader :value "ge" :comparator "i;ascii-numeric" "X-A" "%s"; keep;`,
		`deleteheader :count "eq" "X-A" "%s"; keep;`, `deleteheader :index 1 "%s" "x"; keep;`,
		`set "w" "%s"; fileinto :create "w${w}";`, `set :length "w" "%s"; fileinto :create "w${w}";`,
		`set :upper "w" "%s"; fileinto :create "w${w}";`, `set :lower "w" "%s"; fileinto :create "w${w}";`,
		`set :upperfirst :lower "w" "%s"; fileinto :create "w${w}";`, `set :lowerfirst "w" "%s"; fileinto :create "w${w}";`,
		`set :quotewildcard "w" "%s"; fileinto :create "w${w}"; `, `set :encodeurl "w" "%s"; fileinto :create "w${w}";`,
		`set :encodeurl :upper :length "w" "a%sb"; fileinto :create "w${w}";`, `set :quotewildcard :length "w" "%s"; fileinto :create "w${w}";`,
		`set :encodeurl "w" "%s"; notify "mailto:n@e.example?body=${w}";`,
		`set :encodeurl "w" "%s"; set :length "l" "${w}"; fileinto :create "l${l}";`,
		`set :encodeurl "w" "a%s"; set :length "l" "${w}"; fileinto :create "l${l}";`,
		`set :quotewildcard "w" "%s"; set :length "l" "${w}"; fileinto :create "l${l}";`,
		`set :quotewildcard "w" "a%s"; set :length "l" "${w}"; fileinto :create "l${l}";`,
		`set :encodeurl "w" "aa%s"; set :length "l" "${w}"; fileinto :create "l${l}";`,
		`set "w" "a%s"; set :length "l" "${w}"; fileinto :create "l${l}";`,
		`set :quotewildcard :encodeurl "w" "%s"; fileinto :create "w${w}";`,
		`set :quotewildcard :encodeurl "w" "a*%sb"; fileinto :create "w${w}";`,
		`set :encodeurl "w" "a*%sb"; fileinto :create "w${w}";`, `set :upper :encodeurl "w" "%s"; fileinto :create "w${w}";`,
		`keep :flags ["\\Seen", "good", "%s"];`, `addflag ["%s", "\\Flagged", "good"]; keep;`,
		`set "w" "${%s}"; fileinto :create "w${w}";`,
		`foreverypart { extracttext "w"; if string :contains "${w}" "%s" { fileinto :create "yes"; stop; } }`,
		`foreverypart :name "p" { if header :mime :is "X-P" "%s" { break :name "p"; } }`,
		`if header :matches "subject" "%s" { fileinto :create "m${1}-${2}"; }`,
		`if header :regex "subject" "%s" { fileinto :create "m${0}-${1}"; }`, `if string :matches "%s" "*a*" { fileinto :create "m${1}"; }`,
		`if string :matches "%s" "?*" { fileinto :create "m${1}"; }`, `if string :regex "%s" "(.)(.*)" { fileinto :create "m${1}-${2}"; }`,
		`error "%s";`, `if duplicate :handle "%s" { keep; } elsif duplicate :handle "%s" { discard; }`,
	}
	tests := []string{
		`header "%s" "a"`, `header :contains ["X-A", "%s"] ""`, `header :matches "%s" "*"`, `header :count "ge" "%s" "1"`,
		`not header "%s" "hello"`, `header :index 1 "%s" "a"`,
		`header :contains "subject" "%s"`, `header :is "X-A" "%s"`, `header :matches "subject" "%s"`, `header :regex "subject" "%s"`,
		`header :matches "subject" "h*%s"`, `header :regex "x-a" "^%s"`, `header :regex "x-a" ["%s", "a"]`,
		`header :value "ge" "X-A" "%s"`, `header :value "lt" :comparator "i;ascii-numeric" "X-N" "%s"`, `header :count "eq" "X-A" "%s"`,
		`header :count "ge" :comparator "i;ascii-numeric" ["X-A", "X-N"] "%s"`, `header :comparator "i;octet" :contains "subject" "%s"`,
		`header :mime "%s" "a"`, `header :mime :anychild "X-P" "%s"`, `header :mime :type "content-type" "%s"`,
		`header :mime :subtype "content-type" "%s"`, `header :mime :contenttype "content-type" "%s"`,
		`header :mime :param "%s" "content-type" "x"`,
		`header :mime :anychild :param "%s" :contains "content-type" ""`, `header :mime :param "%s" :count "ge" "content-type" "1"`,
		`header :mime :anychild :param ["charset", "%s"] :count "ge" "content-type" "2"`,
		`header :mime :anychild :param "filename" "content-disposition" "%s"`,
		`address "%s" "a"`, `address :contains "%s" "a"`, `address "from" "%s"`, `address :localpart "from" "%s"`,
		`address :domain "from" "%s"`, `address :user "to" "%s"`, `address :detail "to" "%s"`, `address :matches "from" "%s"`,
		`address :regex "from" "%s"`,
		`address :count "eq" "to" "%s"`, `address :index 1 :contains "%s" ""`, `address :value "gt" "from" "%s"`,
		`address :mime :anychild :contains "%s" ""`,
		`envelope "%s" "joe@example.net"`, `envelope "from" "%s"`, `envelope :localpart "to" "%s"`, `envelope :domain :matches "from" "%s"`,
		`envelope :detail "to" "%s"`, `envelope :contains ["from", "%s"] "a"`, `envelope :count "eq" "from" "%s"`,
		`exists "%s"`, `exists ["subject", "%s"]`, `exists :mime :anychild "%s"`, `hasflag "%s"`, `hasflag :contains "%s"`, `hasflag "%s" "a"`,
		`hasflag :count "ge" "%s"`, `hasflag :matches "%s"`,
		`string "%s" "a"`, `string "a" "%s"`, `string "%s" "%s"`, `string :contains "abc" "%s"`, `string :matches "a" "%s"`,
		`string :regex "ab" "%s"`, `string :value "gt" "a" "%s"`, `string :value "eq" :comparator "i;ascii-numeric" "%s" "1"`,
		`string :value "ge" :comparator "i;ascii-numeric" "1" "%s"`, `string :count "eq" "%s" "1"`, `string :count "eq" ["a", "%s", ""] "2"`,
		`string :count "eq" "a" "%s"`, `string :comparator "i;octet" "%s" "A"`, `string :matches "%s" "a*"`, `string :regex "%s" "^a.*$"`,
		`string :count "ge" :comparator "i;ascii-numeric" "a" "%s"`,
		`duplicate :handle "%s"`, `duplicate :uniqueid "%s"`, `duplicate :header "%s"`, `duplicate :handle "%s" :uniqueid "%s"`,
		`date :zone "%s" "date" "hour" "10"`, `date "%s" "hour" "10"`, `date "date" "%s" "10"`, `date "date" "year" "%s"`,
		`date :value "ge" "date" "hour" "%s"`, `date :matches "date" "iso8601" "%s"`, `date :originalzone "%s" "zone" "+0200"`,
		`currentdate "%s" "10"`, `currentdate :value "ge" "year" "%s"`, `currentdate :zone "%s" "zone" "+0200"`,
		`currentdate :zone "%s" :value "ge" "year" "2000"`,
		`environment "%s" "a"`, `environment :matches "%s" "*"`, `environment "name" "%s"`, `environment :contains "name" "%s"`,
		`environment :count "eq" "%s" "1"`, `environment :matches "version" "%s"`,
		`mailboxexists "%s"`, `mailboxexists ["A", "%s"]`, `specialuse_exists "%s"`, `specialuse_exists ["\\Junk", "%s"]`,
		`specialuse_exists "%s" "\\Junk"`, `specialuse_exists "Junk" "%s"`, `specialuse_exists "nosuch" "%s"`,
		`specialuse_exists ["\\All", "%s"]`,
		`metadataexists "nosuch" "%s"`,
		`metadata "%s" "/private/x" "v"`, `metadata "A" "%s" "v"`, `metadata "A" "/private/x" "%s"`, `metadata :contains "A" "/private/x" "%s"`,
		`metadataexists "%s" "/private/x"`, `metadataexists "A" "%s"`, `metadataexists "A" ["/private/x", "%s"]`,
		`servermetadata "%s" "v"`, `servermetadata "/private/x" "%s"`, `servermetadataexists "%s"`, `servermetadataexists ["/shared/x", "%s"]`,
		`body :raw :contains "%s"`, `body :text :contains "%s"`, `body :content "%s" :contains "b"`,
		`body :content ["text/plain", "%s"] :contains "zz"`, `body :content "text" :matches "*%s*"`, `body :text :regex "%s"`,
		`body :raw :is "%s"`,
		`valid_notify_method "%s"`, `valid_notify_method ["mailto:a@b", "%s"]`, `valid_notify_method "mailto:%s"`,
		`notify_method_capability "%s" "online" "maybe"`, `notify_method_capability "mailto:a@b" "%s" "maybe"`,
		`notify_method_capability "mailto:a@b" "online" "%s"`,
		`spamtest :value "ge" :comparator "i;ascii-numeric" "%s"`, `spamtest "%s"`, `spamtest :count "eq" "%s"`,
		`virustest :value "lt" :comparator "i;ascii-numeric" "%s"`, `virustest "%s"`, `ihave "%s"`,
	}
	for _, t := range tests {
		list = append(list, fmt.Sprintf(`if %s { fileinto :create "yes"; } else { fileinto :create "no"; }`, t))
	}
	return list
}()

// nastyMessage is what is delivered.
const nastyMessage = "Message-ID: <1@x.example>\nDate: Mon, 5 Jan 2026 10:20:30 +0200\nFrom: Joe <joe@example.net>\nTo: %[1]s, bob+d@example.com\nSubject: hello (a) world\n" +
	"X-A: a\nX-A: ab\nX-A: 5\nX-N: 10\nX-Spam-Score: 5\nX-Virus-Score: 1\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n" +
	"--b\nContent-Type: text/plain; charset=utf-8\nX-P: a\n\nbody a\n--b\nX-P: text\nContent-Type: text/html; charset=us-ascii; name=x\nContent-Disposition: attachment; filename=a\n\n<b>b</b>\n--b--\n"

// nastyScript is the script for a pair.
func nastyScript(argument, value string) string {
	set := fmt.Sprintf("set \"v\" \"%s\";\n", value)
	return nastyRequire + set + strings.ReplaceAll(argument, "%s", "${v}") + "\n"
}
