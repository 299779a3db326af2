package sieve

// nameID is a word that the language knows: a command, a test or a tag. Words
// that are spelt the same are one.
type nameID uint8

const (
	nameUnknown nameID = iota

	// Commands.
	nameIf
	nameElsIf
	nameElse
	nameRequire
	nameStop
	nameDiscard
	nameKeep
	nameFileInto
	nameRedirect
	nameReject
	nameEReject
	nameVacation
	nameAddFlag
	nameSetFlag
	nameRemoveFlag
	nameMark
	nameUnmark
	nameSet
	nameAddHeader
	nameDeleteHeader
	nameInclude
	nameReturn
	nameGlobal // a tag too
	nameImport
	nameExport
	nameNotify
	nameDenotify
	nameForEveryPart
	nameBreak
	nameExtractText
	nameError
	nameDebugLog
	nameReport

	// Tests.
	nameTrue
	nameFalse
	nameNot
	nameAllOf
	nameAnyOf
	nameSize
	nameExists
	nameHeader // a tag too
	nameAddress
	nameEnvelope
	nameMailboxExists
	nameMetadata
	nameMetadataExists
	nameServerMetadata
	nameServerMetadataExists
	nameSpecialUseExists
	nameHasFlag
	nameBody
	nameDate
	nameCurrentDate
	nameEnvironment
	nameString
	nameDuplicate
	nameSpamTest
	nameVirusTest
	nameValidNotifyMethod
	nameNotifyMethodCapability
	nameIHave

	// Tags.
	nameIs
	nameContains
	nameMatches
	nameRegex
	nameCount
	nameValue
	nameComparator
	nameAll
	nameLocalPart
	nameDomain
	nameUser
	nameDetail
	nameOver
	nameUnder
	nameCopy
	nameCreate
	nameFlags
	nameSpecialUse
	nameDays
	nameSeconds
	nameSubject
	nameFrom
	nameAddresses
	nameMIME
	nameHandle
	nameAnyChild
	nameType
	nameSubtype
	nameContentType
	nameParam
	nameIndex
	nameLast
	nameRaw
	nameContent
	nameText
	nameZone
	nameOriginalZone
	nameUniqueID
	nameName
	nameFirst
	nameLower
	nameUpper
	nameLowerFirst
	nameUpperFirst
	nameQuoteWildcard
	nameQuoteRegex
	nameEncodeURL
	nameLength
	namePersonal
	nameOnce
	nameOptional
	nameImportance
	nameOptions
	nameMessage
	nameMethod
	nameIdent
	nameLow
	nameNormal
	nameHigh
	namePercent
	nameHeadersOnly
	numNames
)

// spellings are the words as they are written, in lower case.
var spellings = [numNames]string{
	nameIf: "if", nameElsIf: "elsif", nameElse: "else", nameRequire: "require", nameStop: "stop",
	nameDiscard: "discard", nameKeep: "keep", nameFileInto: "fileinto", nameRedirect: "redirect",
	nameReject: "reject", nameEReject: "ereject", nameVacation: "vacation", nameAddFlag: "addflag",
	nameSetFlag: "setflag", nameRemoveFlag: "removeflag", nameMark: "mark", nameUnmark: "unmark", nameSet: "set",
	nameAddHeader: "addheader", nameDeleteHeader: "deleteheader", nameInclude: "include", nameReturn: "return",
	nameGlobal: "global", nameImport: "import", nameExport: "export", nameNotify: "notify",
	nameDenotify: "denotify", nameForEveryPart: "foreverypart", nameBreak: "break",
	nameExtractText: "extracttext", nameError: "error", nameDebugLog: "debug_log", nameReport: "report",
	nameTrue: "true", nameFalse: "false", nameNot: "not", nameAllOf: "allof", nameAnyOf: "anyof",
	nameSize: "size", nameExists: "exists", nameHeader: "header", nameAddress: "address",
	nameEnvelope: "envelope", nameMailboxExists: "mailboxexists", nameMetadata: "metadata",
	nameMetadataExists: "metadataexists", nameServerMetadata: "servermetadata",
	nameServerMetadataExists: "servermetadataexists", nameSpecialUseExists: "specialuse_exists",
	nameHasFlag: "hasflag", nameBody: "body", nameDate: "date", nameCurrentDate: "currentdate",
	nameEnvironment: "environment", nameString: "string", nameDuplicate: "duplicate", nameSpamTest: "spamtest",
	nameVirusTest: "virustest", nameValidNotifyMethod: "valid_notify_method",
	nameNotifyMethodCapability: "notify_method_capability", nameIHave: "ihave",
	nameIs: "is", nameContains: "contains", nameMatches: "matches", nameRegex: "regex", nameCount: "count",
	nameValue: "value", nameComparator: "comparator", nameAll: "all", nameLocalPart: "localpart",
	nameDomain: "domain", nameUser: "user", nameDetail: "detail", nameOver: "over", nameUnder: "under",
	nameCopy: "copy", nameCreate: "create", nameFlags: "flags", nameSpecialUse: "specialuse",
	nameDays: "days", nameSeconds: "seconds", nameSubject: "subject", nameFrom: "from",
	nameAddresses: "addresses", nameMIME: "mime", nameHandle: "handle", nameAnyChild: "anychild",
	nameType: "type", nameSubtype: "subtype", nameContentType: "contenttype", nameParam: "param",
	nameIndex: "index", nameLast: "last", nameRaw: "raw", nameContent: "content", nameText: "text",
	nameZone: "zone", nameOriginalZone: "originalzone", nameUniqueID: "uniqueid", nameName: "name",
	nameFirst: "first", nameLower: "lower", nameUpper: "upper", nameLowerFirst: "lowerfirst",
	nameUpperFirst: "upperfirst", nameQuoteWildcard: "quotewildcard", nameQuoteRegex: "quoteregex",
	nameEncodeURL: "encodeurl", nameLength: "length", namePersonal: "personal", nameOnce: "once",
	nameOptional: "optional", nameImportance: "importance", nameOptions: "options", nameMessage: "message",
	nameMethod: "method", nameIdent: "id", nameLow: "low", nameNormal: "normal", nameHigh: "high",
	namePercent: "percent", nameHeadersOnly: "headers_only",
}

const nameTableBits = 10

// wordKey tells words apart: the last eight octets of one, in lower case.
type wordKey uint64

// nameTable is a hash table with open addressing of the words.
var nameTable = func() (table [1 << nameTableBits]struct {
	key wordKey
	id  nameID
}) {
	for id := nameID(1); id < numNames; id++ {
		key := keyOf(spellings[id])
		slot := nameSlot(key)
		for table[slot].id != 0 {
			slot = (slot + 1) & (1<<nameTableBits - 1)
		}
		table[slot].key, table[slot].id = key, id
	}
	return table
}()

func nameSlot(key wordKey) uint64 {
	return uint64(key) * 0x9e3779b97f4a7c15 >> (64 - nameTableBits)
}

// letters are the octets of an identifier, in lower case; 0 stands for others.
var letters = func() (l [256]byte) {
	for i, c := range classes {
		switch {
		case 'A' <= i && i <= 'Z':
			l[i] = byte(i) | 0x20
		case c == classAlpha || c == classDigit:
			l[i] = byte(i)
		}
	}
	return l
}()

func keyOf(s string) (key wordKey) {
	for i := 0; i < len(s); i++ {
		key = key<<8 | wordKey(letters[s[i]])
	}
	return key
}

// lookupName returns the word that s spells in any case.
func lookupName(s string) nameID { return lookupKey(keyOf(s), s) }

// lookupKey is lookupName for an s of which the key is known.
func lookupKey(key wordKey, s string) nameID {
	for slot := nameSlot(key); ; slot = (slot + 1) & (1<<nameTableBits - 1) {
		e := &nameTable[slot]
		if e.id == nameUnknown {
			return nameUnknown
		}
		if e.key == key && equalLetters(spellings[e.id], s) {
			return e.id
		}
	}
}

// equalLetters reports whether s, which has the key of the lower-case word, is
// that word in any case.
func equalLetters(word, s string) bool {
	if len(word) != len(s) {
		return false
	}
	for i := 0; i < len(s)-8; i++ {
		if letters[s[i]] != word[i] {
			return false
		}
	}
	return true
}
