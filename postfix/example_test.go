package postfix_test

import (
	"fmt"
	"log"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
)

func ExampleMain_Set() {
	customer := "myhostname = ox.example.com\nrelayhost = [old.example.net]\n"
	m, err := postfix.ParseMain("main.cf", []byte(customer))
	if err != nil {
		log.Fatal(err)
	}
	err = m.Set("oxmailroute", []postfix.Param{
		{Name: "relayhost", Comment: "in-scope mail takes the gate, the rest its MX"},
		{Name: "sender_dependent_default_transport_maps", Value: "hash:/etc/postfix/conbool_scope"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", m.Format())

	if err := m.Remove("oxmailroute"); err != nil {
		log.Fatal(err)
	}
	fmt.Println("as it was:", string(m.Format()) == customer)
	// Output:
	// myhostname = ox.example.com
	// #oxmailroute# relayhost = [old.example.net]
	// # BEGIN oxmailroute: managed block, change the policy instead [AZND6QRbMypj]
	// # in-scope mail takes the gate, the rest its MX
	// relayhost =
	// sender_dependent_default_transport_maps = hash:/etc/postfix/conbool_scope
	// # END oxmailroute [AZND6QRbMypj]
	// as it was: true
}

func ExampleMaster_Set() {
	m, err := postfix.ParseMaster("master.cf", []byte("submission inet n - n - - smtpd\npickup unix n - n 60 1 pickup\n"))
	if err != nil {
		log.Fatal(err)
	}
	err = m.Set("oxmailroute", []postfix.Service{{
		Name: "direct", Type: "unix", Chroot: "n", Command: "smtp", Comment: "marked mail, by its MX",
	}}, []postfix.ServiceOptions{{
		Name: "submission", Type: "inet",
		Options: []postfix.Param{{Name: "cleanup_service_name", Value: "cleanup-untrusted"}},
	}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", m.Format())
	// Output:
	// submission inet n - n - - smtpd
	// # BEGIN oxmailroute [ztWguhMp]
	//   -o cleanup_service_name=cleanup-untrusted
	// # END oxmailroute [ztWguhMp]
	// pickup unix n - n 60 1 pickup
	// # BEGIN oxmailroute: managed block, change the policy instead [_qB9-loo]
	// # marked mail, by its MX
	// direct     unix  -       -       n       -       -       smtp
	// # END oxmailroute [_qB9-loo]
}

func ExampleCheckTable() {
	table := postfix.CheckTable{
		{
			When:   headers.Match{Name: "X-Conbool-example-com", Op: headers.Is, Values: []string{"true"}},
			Action: postfix.Filter{Transport: "direct"},
			Rule:   "Loop.Markers",
		},
		{
			When:   headers.Match{Name: "X-Conbool-Released", Op: headers.Is, Values: []string{"yes"}},
			Action: postfix.Filter{Transport: "direct"},
			Rule:   "Release",
		},
	}
	text, err := table.Format()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", text)

	checks, err := table.Compile()
	if err != nil {
		log.Fatal(err)
	}
	hit, ok := checks.Lookup(headers.Field{Name: []byte("X-Conbool-Released"), Body: []byte("\n Yes")})
	fmt.Println(ok, hit.Rule, hit.Line)

	table[0].When = headers.Not{Predicate: table[0].When}
	_, err = table.Format()
	fmt.Println(err != nil)
	// Output:
	// if /^X-Conbool-/
	// /^X-Conbool-example-com:[[:space:]]*true[[:space:]]*$/ FILTER direct:
	// /^X-Conbool-Released:[[:space:]]*yes[[:space:]]*$/ FILTER direct:
	// endif
	// true Release 3
	// true
}

func ExampleSearch_Sender() {
	scope := postfix.Table{
		{Key: "@example.com", Value: "conbool-gate:[127.0.0.1]:10030", Rule: "Tenants[0].Domains[0]"},
	}.Index()
	search := postfix.Search{Delimiter: "+"}
	for _, sender := range []string{"Alice+news@Example.com", "alice@sub.example.com", ""} {
		hit, ok, _ := search.Sender(scope, sender)
		fmt.Printf("%q %v %q\n", sender, ok, hit.Entry.Rule)
	}
	// Output:
	// "Alice+news@Example.com" true "Tenants[0].Domains[0]"
	// "alice@sub.example.com" false ""
	// "" false ""
}
