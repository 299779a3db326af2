// Package dovecot reads the configuration of Dovecot with Pigeonhole, as
// `doveconf -n` and `doveconf -a` of 2.3 and 2.4 print it: the settings that
// change what a Sieve script does ([Config.Options]), the scripts that run for a
// user and their order ([Config.Scripts]), and what dovecot-lda and LMTP do with
// the result of a run ([Deliver]). It reads text and runs nothing.
//
// # Settings that have no option
//
// These settings of Pigeonhole change nothing that package interp answers, or
// are given to it in another way:
//
//   - what scripts hold and where they are, which [Config.Scripts] reads or a caller does:
//     sieve sieve_dir sieve_default sieve_default_name sieve_discard sieve_before sieve_after sieve_global
//     sieve_global_dir sieve_global_path sieve_script_active_path sieve_script_bin_path sieve_script_cause
//     sieve_script_driver sieve_script_ldap_filter sieve_script_ldap_modified_attribute
//     sieve_script_ldap_script_attribute sieve_script_name sieve_script_path sieve_script_precedence
//     sieve_script_storage sieve_script_type sieve_enabled
//   - the results of scanners, which a caller gives as Input.Spam and Input.Virus:
//     sieve_spamtest_score_max_header sieve_spamtest_score_max_value sieve_spamtest_status_header
//     sieve_spamtest_status_type sieve_spamtest_text_value sieve_spamtest_max_header sieve_spamtest_max_value
//     sieve_virustest_score_max_header sieve_virustest_score_max_value sieve_virustest_status_header
//     sieve_virustest_status_type sieve_virustest_text_value sieve_virustest_max_header sieve_virustest_max_value
//   - items of the environment, which a caller gives as Input.Environment: sieve_environment sieve_env
//   - extensions that run programs, which package sieve doesn't have: sieve_execute_bin_dir
//     sieve_execute_exec_timeout sieve_execute_input_eol sieve_execute_socket_dir sieve_filter_bin_dir
//     sieve_filter_exec_timeout sieve_filter_input_eol sieve_filter_socket_dir sieve_pipe_bin_dir
//     sieve_pipe_exec_timeout sieve_pipe_input_eol sieve_pipe_socket_dir sieve_plugin_dir sieve_plugins
//   - who else may use which extension: sieve_global_extensions sieve_implicit_extensions
//   - limits of time, in place of which Options.MaxSteps stands: sieve_max_cpu_time sieve_resource_usage_timeout
//   - limits of what is uploaded; the parser has the default of 1 MiB: sieve_max_script_size
//     sieve_quota_max_scripts sieve_quota_max_storage sieve_quota_script_count sieve_quota_storage_size
//   - what is logged: sieve_trace_addresses sieve_trace_debug sieve_trace_dir sieve_trace_level sieve_user_log
//     sieve_user_log_path
//   - names of blocks of 2.4, and what is only the form of their settings: sieve_editheader_header_name
//   - the sender of a report (vnd.dovecot.report): sieve_report_from
package dovecot
