package mta_test

import (
	_ "embed"
	"encoding/json"
	"flag"
	"maps"
	"slices"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
)

// shrinking makes the smallest case of the first disagreement of a run.
var shrinking = flag.Bool("shrink", true, "make the smallest case of the first disagreement")

func TestMain(m *testing.M) { maillab.Main(m) }

// TestDrawn draws configurations with messages for them, loads each and asks it
// beside the servers that run it: replies, destinations, envelopes, number of copies
// and headers must agree. Each draw has 12 to 20 settings that are not the default.
//
//	TEST_SEED=7 TEST_SCALE=20 REQUIRE_SERVERS=1 go test ./postfix/mta -run TestDrawn -timeout 60m
func TestDrawn(t *testing.T) {
	draws, messages := servertest.Deep(t, 1, 6), 30
	if servertest.Scale(t) <= 1 {
		messages = 10
	}
	for _, system := range maillab.DrawnSystems(t, "drawn") {
		t.Run(system.Name, func(t *testing.T) {
			maillab.NeedSystem(t, system)
			shrunk, covered := false, coverage{}
			asked, wrong, unknown, unknownBad := 0, 0, 0, 0
			assumed, ends := map[string]int{}, map[string]int{}
			var all []*draw
			for i := range draws {
				all = append(all, newDraw(*servertest.Seed, uint64(i), messages))
			}
			for batch := range slices.Chunk(all, perLab) {
				for _, h := range hear(t, system, batch) {
					j, err := h.judge(t, system)
					if err != nil {
						t.Errorf("%s: %v", h.draw.Seed, err)
						continue
					}
					if servertest.Scale(t) > 1 {
						covered.count(t, &h, system)
					}
					asked += len(h.draw.Messages)
					wrong += len(j.wrong)
					unknown += j.unknown
					unknownBad += j.unknownBad
					for k, n := range j.assumed {
						assumed[k] += n
					}
					for k, n := range j.ends {
						ends[k] += n
					}
					if len(j.wrong) > 0 {
						t.Errorf("%s: %d of %d messages differ\n%s", h.draw.Seed, len(j.wrong), len(h.draw.Messages), h.files[h.seat.dir+"/main.cf"])
						for _, i := range j.wrong {
							t.Logf("%s, message %d: %s", h.draw.Seed, i, j.text[i])
						}
						if !shrunk && *shrinking {
							shrunk = true
							small := shrink(t, system, h.draw, j.wrong[0])
							t.Logf("smallest case, for testdata/drawn.json:\n\t%s", small.fixture())
						}
						for _, line := range h.trouble[:min(len(h.trouble), 12)] {
							t.Logf("%s: %s", h.draw.Seed, line)
						}
					}
				}
			}
			t.Logf("%d draws, %d messages, %d differ; %d name something, of which %d differ; ends %v", draws, asked, wrong, unknown, unknownBad,
				ends)
			if servertest.Scale(t) > 1 {
				t.Logf("parameter, draws, messages that it changed:\n%s", covered)
			}
			for _, k := range slices.Sorted(maps.Keys(assumed)) {
				t.Logf("assumed %d times: %s", assumed[k], k)
			}
		})
	}
}

//go:embed testdata/drawn.json
var kindsText []byte

// TestDrawnKinds holds one case of each kind of disagreement that TestDrawn has
// found, beside the servers.
func TestDrawnKinds(t *testing.T) {
	var kinds []*draw
	if err := json.Unmarshal(kindsText, &kinds); err != nil {
		t.Fatal(err)
	}
	kinds = servertest.Part(t, kinds, perLab)
	for _, system := range maillab.FixedSystems(t, "drawn kinds") {
		t.Run(system.Name, func(t *testing.T) {
			maillab.NeedSystem(t, system)
			t.Parallel()
			for batch := range slices.Chunk(kinds, perLab) {
				for _, h := range hear(t, system, batch) {
					j, err := h.judge(t, system)
					if err != nil {
						t.Errorf("%s: %v", h.draw.What, err)
					}
					for _, i := range j.wrong {
						t.Errorf("%s, message %d: %s", h.draw.What, i, j.text[i])
					}
				}
			}
		})
	}
}
