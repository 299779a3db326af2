package maillab

import (
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// readMaildirs reads the tree root/DOMAIN/USER/Maildir, whose folders are
// directories (Dovecot's LAYOUT=fs with UTF-8 names).
func readMaildirs(root string) ([]stored, error) {
	var all []stored
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		dir := filepath.Dir(name)
		if !entry.Type().IsRegular() || filepath.Base(dir) != "new" && filepath.Base(dir) != "cur" {
			return nil
		}
		rel, err := filepath.Rel(root, filepath.Dir(dir))
		if err != nil {
			return err
		}
		parts := strings.Split(filepath.ToSlash(rel), "/")
		if len(parts) < 3 || parts[2] != "Maildir" {
			return nil
		}
		folder := "INBOX"
		if len(parts) > 3 {
			folder = strings.Join(parts[3:], "/")
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		all = append(all, stored{user: parts[1] + "@" + parts[0], folder: folder, flags: maildirFlags(name), data: data})
		return nil
	})
	sort.SliceStable(all, func(i, j int) bool { return all[i].user+"\x00"+all[i].folder < all[j].user+"\x00"+all[j].folder })
	return all, err
}

// maildirFlags are the IMAP flags of a message, sorted. They are letters at the
// end of its file name: capitals for the system's flags, a to z for the
// keywords that the folder's file dovecot-keywords numbers.
func maildirFlags(name string) []string {
	_, letters, ok := strings.Cut(filepath.Base(name), ":2,")
	if !ok {
		return nil
	}
	keywords := map[string]string{}
	numbered, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(name)), "dovecot-keywords"))
	if err == nil {
		for line := range strings.Lines(string(numbered)) {
			number, keyword, _ := strings.Cut(strings.TrimSpace(line), " ")
			keywords[number] = keyword
		}
	}
	system := map[rune]string{'D': `\Draft`, 'F': `\Flagged`, 'R': `\Answered`, 'S': `\Seen`, 'T': `\Deleted`}
	var flags []string
	for _, letter := range letters {
		if flag, ok := system[letter]; ok {
			flags = append(flags, flag)
		} else if keyword, ok := keywords[strconv.Itoa(int(letter-'a'))]; ok {
			flags = append(flags, keyword)
		}
	}
	sort.Strings(flags)
	return flags
}
