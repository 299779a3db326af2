package main

func Example() {
	main()
	// Output:
	// main.cf: as before: false
	//   new: message_size_limit = 50000000
	//   new: smtpd_banner = $myhostname ESMTP
	// master.cf: as before: true
	// left: postfix/main.cf:40: was added within the block of oxmailroute-conbool; it stays: smtpd_banner = $myhostname ESMTP
	// delete, if it is there: dovecot/99-conbool.conf
	// delete, if it is there: haproxy/conbool.cfg
	// delete, if it is there: nftables/conbool.nft
	// delete, if it is there: postfix/conbool_bypass
	// delete, if it is there: postfix/conbool_bypass.db
	// delete, if it is there: postfix/conbool_bypass_mime
	// delete, if it is there: postfix/conbool_bypass_mime.db
	// delete, if it is there: postfix/conbool_cert_name
	// delete, if it is there: postfix/conbool_cert_name.db
	// delete, if it is there: postfix/conbool_clients.cidr
	// delete, if it is there: postfix/conbool_clients.cidr.db
	// delete, if it is there: postfix/conbool_leave
	// delete, if it is there: postfix/conbool_leave.db
	// delete, if it is there: postfix/conbool_leave_origin
	// delete, if it is there: postfix/conbool_leave_origin.db
	// delete, if it is there: postfix/conbool_origin.cidr
	// delete, if it is there: postfix/conbool_origin.cidr.db
	// delete, if it is there: postfix/conbool_reentry
	// delete, if it is there: postfix/conbool_reentry.db
	// delete, if it is there: postfix/conbool_scope
	// delete, if it is there: postfix/conbool_scope.db
	// delete, if it is there: postfix/conbool_seals
	// delete, if it is there: postfix/conbool_seals.db
	// delete, if it is there: postfix/conbool_sort
	// delete, if it is there: postfix/conbool_sort.db
	// delete, if it is there: postfix/conbool_strip
	// delete, if it is there: postfix/conbool_strip.db
	// delete, if it is there: sieve/before/10-conbool.sieve
	// delete, if it is there: sieve/before/10-conbool.svbin
	// run, if there was a firewall: nft 'table inet oxmailroute_conbool; delete table inet oxmailroute_conbool'
}
