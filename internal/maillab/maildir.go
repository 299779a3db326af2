package maillab

import (
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// stored is one message in a mailbox.
type stored struct {
	user   string // user@domain
	folder string // INBOX, or the path below it
	data   []byte
}

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
		all = append(all, stored{user: parts[1] + "@" + parts[0], folder: folder, data: data})
		return nil
	})
	sort.SliceStable(all, func(i, j int) bool { return all[i].user+"\x00"+all[i].folder < all[j].user+"\x00"+all[j].folder })
	return all, err
}
