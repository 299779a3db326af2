package maillab

import (
	"bufio"
	"encoding/base64"
	"slices"
	"strings"
)

// mechanisms are those that the sink offers now.
func (s *sinkServer) mechanisms(secured bool) []string {
	login := s.spec.Login
	switch {
	case login == nil, !secured && !login.InClear:
		return nil
	case login.Mechanisms == nil:
		return []string{"PLAIN", "LOGIN"}
	default:
		return login.Mechanisms
	}
}

// login does the dialogue of an AUTH command (RFC 4954; LOGIN as in use) and
// returns the reply, and the name where the password was right.
func (s *sinkServer) login(argument string, base record, in *bufio.Reader, say func(string) bool) (reply, name string, err error) {
	mechanism, initial, _ := strings.Cut(argument, " ")
	mechanism = strings.ToUpper(mechanism)
	switch {
	case base.login != "":
		return "503 5.5.1 already logged in", base.login, nil
	case !slices.Contains(s.mechanisms(base.tls != ""), mechanism):
		return "504 5.5.4 this mechanism isn't offered", "", nil
	}
	ask := func(challenge string) (string, error) {
		say("334 " + base64.StdEncoding.EncodeToString([]byte(challenge)))
		line, err := in.ReadString('\n')
		return strings.TrimRight(line, "\r\n"), err
	}
	answers := []string{initial}
	questions := []string{""}
	if mechanism == "LOGIN" {
		questions = []string{"Username:", "Password:"}
	}
	for i, question := range questions {
		if i == len(answers) {
			answers = append(answers, "")
		}
		if answers[i] == "" {
			if answers[i], err = ask(question); err != nil {
				return "", "", err
			}
		}
		plain, err := base64.StdEncoding.DecodeString(answers[i])
		if err != nil {
			return "501 5.5.2 not base64", "", nil
		}
		answers[i] = string(plain)
	}
	if mechanism == "PLAIN" {
		// authorization identity, authentication identity, password
		parts := strings.Split(answers[0], "\x00")
		if len(parts) != 3 {
			return "501 5.5.2 not the form of PLAIN", "", nil
		}
		answers = parts[1:]
	}
	if password, ok := s.spec.Login.Users[answers[0]]; !ok || password != answers[1] {
		return "535 5.7.8 wrong name or password", "", nil
	}
	return "235 2.7.0 welcome", answers[0], nil
}
