package sievetest

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// flagsOf are the IMAP flags of a file of a maildir, in lower case and in order.
func flagsOf(dir, name string) string {
	_, letters, _ := strings.Cut(name, ":2,")
	var out []string
	var keywords []string
	for _, c := range letters {
		if c < 'a' || c > 'z' {
			out = append(out, map[rune]string{'S': `\seen`, 'R': `\answered`, 'F': `\flagged`, 'T': `\deleted`, 'D': `\draft`}[c])
			continue
		}
		if keywords == nil {
			text, _ := os.ReadFile(filepath.Join(dir, "dovecot-keywords"))
			keywords = strings.Split(string(text), "\n")
		}
		for _, line := range keywords {
			if n, word, ok := strings.Cut(line, " "); ok && n == strconv.Itoa(int(c-'a')) {
				out = append(out, strings.ToLower(word))
			}
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}
