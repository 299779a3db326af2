package maillab

// dovecot23 is the configuration of the mail store in the language of Dovecot
// 2.3: LMTP with Sieve for Postfix at private/dovecot-lmtp, SASL at
// private/auth of the queue directory (%[1]s), users (%[4]s, %[5]s), personal scripts in /etc/dovecot/sieve/users. It has no
// global script. One process does all deliveries, since 2.3 fails (panic, or
// "Mailbox already exists") where two at once make the same mailbox. Customer settings (%[2]s) and the fragments come last, since
// later settings win. %[3]s is the host's name.
const dovecot23 = `protocols = lmtp
base_dir = /run/dovecot
state_dir = /run/dovecot-state
log_path = syslog
syslog_facility = mail
auth_verbose = yes
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_home = ` + mailHomes + `/%%d/%%n
mail_location = maildir:~/Maildir:LAYOUT=fs:UTF-8
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
first_valid_gid = 1
recipient_delimiter = +
lda_mailbox_autocreate = yes
lda_mailbox_autosubscribe = yes
lmtp_save_to_detail_mailbox = no
postmaster_address = postmaster@%[3]s
hostname = %[3]s
%[4]suserdb {
  driver = static
  args = uid=mail gid=mail %[5]shome=` + mailHomes + `/%%d/%%n
}
namespace inbox {
  inbox = yes
  separator = /
}
service lmtp {
  process_limit = 1
  client_limit = 1000
  unix_listener %[1]s/private/dovecot-lmtp {
    user = postfix
    group = postfix
    mode = 0600
  }
  inet_listener lmtp {
    address = 127.0.0.1
    port = 24
  }
}
service auth {
  unix_listener %[1]s/private/auth {
    user = postfix
    group = postfix
    mode = 0660
  }
}
protocol lmtp {
  mail_plugins = $mail_plugins sieve
}
plugin {
  sieve = file:~/sieve;active=/etc/dovecot/sieve/users/%%u.sieve
  sieve_max_redirects = 8
}
%[2]s
!include_try conf.d/*.conf
`

// dovecot24 is the same in the language of Dovecot 2.4.
const dovecot24 = `dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
protocols = lmtp
base_dir = /run/dovecot
state_dir = /run/dovecot-state
log_path = syslog
syslog_facility = mail
auth_verbose = yes
ssl = no
auth_allow_cleartext = yes
auth_mechanisms = plain login
mail_home = ` + mailHomes + `/%%{user | domain}/%%{user | username}
mail_driver = maildir
mail_path = ~/Maildir
mail_inbox_path =
mailbox_list_layout = fs
mailbox_list_utf8 = yes
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
first_valid_gid = 1
recipient_delimiter = +
lda_mailbox_autocreate = yes
lda_mailbox_autosubscribe = yes
lmtp_save_to_detail_mailbox = no
postmaster_address = postmaster@%[3]s
hostname = %[3]s
%[4]suserdb static {
  %[5]s
  fields {
    uid = mail
    gid = mail
    home = ` + mailHomes + `/%%{user | domain}/%%{user | username}
  }
}
namespace inbox {
  inbox = yes
  separator = /
}
service lmtp {
  process_limit = 1
  client_limit = 1000
  unix_listener %[1]s/private/dovecot-lmtp {
    user = postfix
    group = postfix
    mode = 0600
  }
  inet_listener lmtp {
    listen = 127.0.0.1
    port = 24
  }
}
service auth {
  unix_listener %[1]s/private/auth {
    user = postfix
    group = postfix
    mode = 0660
  }
}
protocol lmtp {
  mail_plugins {
    sieve = yes
  }
}
sieve_script personal {
  driver = file
  path = ~/sieve
  active_path = /etc/dovecot/sieve/users/%%{user}.sieve
}
sieve_max_redirects = 8
%[2]s
!include_try conf.d/*.conf
`
