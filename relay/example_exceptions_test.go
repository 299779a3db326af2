package relay_test

import (
	"encoding/json"
	"fmt"
	"log"

	"github.com/oxmailroute/oxmailroute/relay"
)

func ExampleConfig_Exceptions() {
	policy := labPolicy(noTB{}, "lab.json")
	policy.Direct = []string{"partner.test"}
	config, err := relay.Compile(policy, labBase(noTB{}))
	if err != nil {
		log.Fatal(err)
	}
	exceptions := config.Exceptions()[0]
	fmt.Print(exceptions)
	text, err := json.Marshal(exceptions.Content)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", text)
	// Output:
	// Mail does not go to [mail.conbool.com]:25, the smart host of conbool, but to the MX of the recipient's domain, where one of these holds:
	//
	//   1. The return path is empty (envelope sender <>).
	//   2. The recipient's domain is partner.test.
	//   3. The message came from the gateway itself, from an address in 127.0.2.0/28.
	//   4. The message or a part of it, at any depth, has the content type text/calendar.
	//   5. The header X-Conbool-example-com is "true" (ignoring case).
	//   6. The header X-Conbool-example-net is "true" (ignoring case).
	//   7. The header X-Conbool-example-org is "true" (ignoring case).
	//   8. The header X-Conbool-Released is "yes" (ignoring case).
	//   9. The header X-OXMailroute-Origin is "gateway" (ignoring case).
	//
	// Conditions 5 to 9 are about markers, which anybody can write. Before they are asked, remove from all mail that did not
	// come from the gateway:
	//
	//   -  every header whose name begins with X-Conbool-
	//   -  the header X-OXMailroute-Origin
	// [{"ContentType":{"Types":["text/calendar"]}}]
}
