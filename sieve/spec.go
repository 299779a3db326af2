package sieve

// spec is what a command or a test takes.
type spec struct {
	isTest bool
	// ext are the extensions of which one must be on; 0 for none.
	ext Extensions
	// args are the positional arguments; the last optional of them can be left
	// out from the front.
	args     []argKind
	optional int
	subtests testCount
	block    bool
	// compares says that match types and :comparator are tags, parts that
	// address parts are, and modifiers that those of set are.
	compares, parts, modifiers bool
	tags                       []tagSpec
}

type testCount uint8

const (
	noTest testCount = iota
	oneTest
	testList
)

// tagSpec is a tag of a spec.
type tagSpec struct {
	id    nameID
	ext   Extensions // that must be on
	param argKind    // that belongs to the tag; argNone for none
	// group is the same for tags that exclude each other; a tag of group 0 can
	// be repeated.
	group uint8
	// raw says that the argument is not subject to encoded-character and
	// variables, fixed that it is not subject to variables.
	raw, fixed bool
}

// The groups of tags that many specs have.
const (
	groupMatch = 30 + iota
	groupComparator
	groupPart
)

// compareTags are the match types and :comparator.
var compareTags = []tagSpec{
	{id: nameIs, group: groupMatch}, {id: nameContains, group: groupMatch}, {id: nameMatches, group: groupMatch},
	{id: nameRegex, group: groupMatch, ext: ExtRegex},
	{id: nameCount, group: groupMatch, ext: ExtRelational, param: argString, raw: true},
	{id: nameValue, group: groupMatch, ext: ExtRelational, param: argString, raw: true},
	{id: nameComparator, group: groupComparator, param: argString},
}

// partTags are the address parts.
var partTags = []tagSpec{
	{id: nameAll, group: groupPart}, {id: nameLocalPart, group: groupPart}, {id: nameDomain, group: groupPart},
	{id: nameUser, group: groupPart, ext: ExtSubaddress}, {id: nameDetail, group: groupPart, ext: ExtSubaddress},
}

func tagsOf(lists ...[]tagSpec) []tagSpec {
	var out []tagSpec
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

var (
	oneString   = []argKind{argString}
	oneList     = []argKind{argList}
	twoLists    = []argKind{argList, argList}
	flagsArgs   = []argKind{argList, argList}
	stringLists = []argKind{argString, argList}
)

// specs are those of the commands and tests, by name.
var specs = func() (s [numNames]*spec) {
	for id, sp := range map[nameID]spec{
		nameIf:      {subtests: oneTest, block: true},
		nameElsIf:   {subtests: oneTest, block: true},
		nameElse:    {block: true},
		nameRequire: {args: oneList},
		nameStop:    {},
		nameDiscard: {},
		nameKeep:    {tags: []tagSpec{flagsTag}},
		nameFileInto: {ext: ExtFileInto, args: oneString, tags: []tagSpec{
			flagsTag, copyTag,
			{id: nameCreate, ext: ExtMailbox, group: 3},
			{id: nameSpecialUse, ext: ExtSpecialUse, param: argString, group: 4},
		}},
		nameRedirect: {args: oneString, tags: []tagSpec{copyTag}},
		nameReject:   {ext: ExtReject, args: oneString},
		nameEReject:  {ext: ExtEReject, args: oneString},
		nameVacation: {ext: ExtVacation, args: oneString, tags: []tagSpec{
			{id: nameDays, param: argNumber, group: 1},
			{id: nameSeconds, ext: ExtVacationSeconds, param: argNumber, group: 1},
			{id: nameSubject, param: argString, group: 2},
			{id: nameFrom, param: argString, group: 3},
			{id: nameAddresses, param: argList, group: 4},
			{id: nameMIME, group: 5},
			// The argument is moved behind the others, where a second one isn't seen.
			{id: nameHandle, param: argString},
		}},
		nameAddFlag:    {ext: ExtIMAP4Flags | ExtIMAPFlags, args: flagsArgs, optional: 1},
		nameSetFlag:    {ext: ExtIMAP4Flags | ExtIMAPFlags, args: flagsArgs, optional: 1},
		nameRemoveFlag: {ext: ExtIMAP4Flags | ExtIMAPFlags, args: flagsArgs, optional: 1},
		nameMark:       {ext: ExtIMAPFlags},
		nameUnmark:     {ext: ExtIMAPFlags},
		nameSet:        {ext: ExtVariables, args: []argKind{argString, argString}, modifiers: true},
		nameAddHeader: {ext: ExtEditHeader, args: []argKind{argString, argString}, tags: []tagSpec{
			{id: nameLast, group: 1},
		}},
		nameDeleteHeader: {ext: ExtEditHeader, args: twoLists, optional: 1, compares: true, tags: []tagSpec{
			{id: nameIndex, param: argNumber, group: 1}, {id: nameLast, group: 2},
		}},
		nameInclude: {ext: ExtInclude, args: oneString, tags: []tagSpec{
			{id: namePersonal, group: 1}, {id: nameGlobal, group: 1}, {id: nameOnce}, {id: nameOptional},
		}},
		nameReturn: {ext: ExtInclude},
		nameGlobal: {ext: ExtInclude, args: oneList},
		nameImport: {ext: ImportExport, args: oneList},
		nameExport: {ext: ImportExport, args: oneList},
		nameNotify: {ext: ExtENotify, args: oneString, tags: []tagSpec{
			{id: nameImportance, param: argString, raw: true, group: 1},
			{id: nameFrom, param: argString, group: 2},
			{id: nameOptions, param: argList, group: 3},
			{id: nameMessage, param: argString, group: 4},
		}},
		// Its match type has a key of its own behind it.
		nameDenotify: {ext: ExtNotify, tags: tagsOf(priorityTags, compareTags[:len(compareTags)-1])},
		nameForEveryPart: {ext: ExtForEveryPart, block: true, tags: []tagSpec{
			{id: nameName, param: argString, fixed: true},
		}},
		nameBreak: {ext: ExtForEveryPart, tags: []tagSpec{
			{id: nameName, param: argString, fixed: true},
		}},
		nameExtractText: {ext: ExtExtractText, args: oneString, modifiers: true, tags: []tagSpec{
			{id: nameFirst, param: argNumber, group: 1},
		}},
		nameError:    {ext: ExtIHave, args: oneString},
		nameDebugLog: {ext: ExtDovecotDebug, args: oneString},
		nameReport: {ext: ExtDovecotReport, args: []argKind{argString, argString, argString}, tags: []tagSpec{
			{id: nameHeadersOnly, group: 1},
		}},

		nameTrue:  {isTest: true},
		nameFalse: {isTest: true},
		nameNot:   {isTest: true, subtests: oneTest},
		nameAllOf: {isTest: true, subtests: testList},
		nameAnyOf: {isTest: true, subtests: testList},
		nameSize: {isTest: true, args: []argKind{argNumber}, tags: []tagSpec{
			{id: nameOver, group: 1}, {id: nameUnder, group: 1},
		}},
		nameExists: {isTest: true, args: oneList, tags: mimeTags},
		nameHeader: {isTest: true, args: twoLists, compares: true, tags: tagsOf(indexTags, mimeTags, mimePartTags)},
		nameAddress: {
			isTest: true, args: twoLists, compares: true, parts: true, tags: tagsOf(indexTags, mimeTags),
		},
		nameEnvelope:             {isTest: true, ext: ExtEnvelope, args: twoLists, compares: true, parts: true},
		nameMailboxExists:        {isTest: true, ext: ExtMailbox, args: oneList},
		nameMetadata:             {isTest: true, ext: ExtMboxMetadata, args: []argKind{argString, argString, argList}, compares: true},
		nameMetadataExists:       {isTest: true, ext: ExtMboxMetadata, args: stringLists},
		nameServerMetadata:       {isTest: true, ext: ExtServerMetadata, args: stringLists, compares: true},
		nameServerMetadataExists: {isTest: true, ext: ExtServerMetadata, args: oneList},
		nameSpecialUseExists:     {isTest: true, ext: ExtSpecialUse, args: stringLists, optional: 1},
		nameHasFlag:              {isTest: true, ext: ExtIMAP4Flags, args: twoLists, optional: 1, compares: true},
		nameBody: {isTest: true, ext: ExtBody, args: oneList, compares: true, tags: []tagSpec{
			{id: nameRaw, group: 1}, {id: nameText, group: 1}, {id: nameContent, param: argList, group: 1},
		}},
		nameDate: {
			isTest: true, ext: ExtDate, args: []argKind{argString, argString, argList}, compares: true,
			tags: tagsOf(indexTags, []tagSpec{{id: nameZone, param: argString, group: 2}, {id: nameOriginalZone, group: 2}}),
		},
		nameCurrentDate: {isTest: true, ext: ExtDate, args: stringLists, compares: true, tags: []tagSpec{
			{id: nameZone, param: argString, group: 2},
		}},
		nameEnvironment: {isTest: true, ext: ExtEnvironment, args: stringLists, compares: true},
		nameString:      {isTest: true, ext: ExtVariables, args: twoLists, compares: true},
		nameDuplicate: {isTest: true, ext: ExtDuplicate | ExtDovecotDuplicate, tags: []tagSpec{
			{id: nameSeconds, param: argNumber, group: 1}, {id: nameLast, group: 2},
			{id: nameHeader, param: argString, group: 3}, {id: nameUniqueID, param: argString, group: 3, ext: ExtDuplicate},
			{id: nameValue, param: argString, group: 3, ext: ExtDovecotDuplicate},
			{id: nameHandle, param: argString, group: 4},
		}},
		nameSpamTest: {isTest: true, ext: ExtSpamTest | ExtSpamTestPlus, args: oneString, compares: true, tags: []tagSpec{
			{id: namePercent, ext: ExtSpamTestPlus, group: 1},
		}},
		nameVirusTest:         {isTest: true, ext: ExtVirusTest, args: oneString, compares: true},
		nameValidNotifyMethod: {isTest: true, ext: ExtENotify, args: oneList},
		nameNotifyMethodCapability: {
			isTest: true, ext: ExtENotify, args: []argKind{argString, argString, argList}, compares: true,
		},
		nameIHave: {isTest: true, ext: ExtIHave, args: oneList},
	} {
		if sp.compares {
			// Match types come first: they are what scripts have most.
			sp.tags = tagsOf(compareTags, sp.tags)
		}
		if sp.parts {
			sp.tags = tagsOf(sp.tags, partTags)
		}
		if sp.modifiers {
			sp.tags = tagsOf(sp.tags, modifierTags)
		}
		s[id] = &sp
	}
	return s
}()
