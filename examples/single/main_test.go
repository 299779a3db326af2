package main

func Example() {
	main()
	// Output:
	// files:
	//   dovecot/99-conbool.conf
	//   nftables/conbool.nft
	//   postfix/conbool_bypass
	//   postfix/conbool_bypass_mime
	//   postfix/conbool_cert_name
	//   postfix/conbool_clients.cidr
	//   postfix/conbool_leave
	//   postfix/conbool_leave_origin
	//   postfix/conbool_origin.cidr
	//   postfix/conbool_reentry
	//   postfix/conbool_scope
	//   postfix/conbool_seals
	//   postfix/conbool_sort
	//   postfix/conbool_strip
	//   postfix/main.cf
	//   postfix/master.cf
	//   sieve/before/10-conbool.sieve
	// commands:
	//   find -L /etc/ssl/certs/ca-certificates.crt /etc/ssl/ox/ox.key /etc/ssl/ox/ox.pem -maxdepth 0 '(' '!' -type f -o -size 0 ')' -fprint /dev/stderr
	//   postmap -c /etc/postfix hash:/etc/postfix/conbool_scope
	//   sievec /etc/dovecot/sieve/before/10-conbool.sieve
	//   nft -c -f /etc/nftables/conbool.nft
	//   postfix -c /etc/postfix check
	//   doveconf -n
	//   nft -f /etc/nftables/conbool.nft
	//   postfix -c /etc/postfix reload
	//   doveadm reload
	// mail:
	//   from alice@example.com by submission: relay [mail.conbool.com]:25
	//   from x@remote.example by gateway: mailbox Spam
	//   from x@remote.example by internet: reject
}
