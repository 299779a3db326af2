// Package postfix holds Postfix's configuration files as typed values.
package postfix
