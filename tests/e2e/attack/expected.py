# SPDX-License-Identifier: Apache-2.0
# What the sensor must have said of the replay in attack.sh: step, kind of event, whose lineage (the
# process id of the web server it must descend from, or none), condition on its fields `e` and the
# facts `f` as the system told them. `expected.py FACTS EVENTS` prints what was not seen.
import json
import os
import sys

f = {}
for line in open(sys.argv[1]):
    key, value = line.rstrip('\n').split(' ', 1)
    f[key] = int(value) if value.isdigit() else value
events = [json.loads(line) for line in open(sys.argv[2])]
css, css2 = f['web'] + '/css/mibasecss.css', f['web'] + '/css/mibasecss2.css'
jsp, log = f['web'] + '/403.jsp', f['access_log']

H, T, ANY = f['httpd'], f['tomcat'], None
SHELL = 'e["remote"]["address"] == f["attacker"] and e["remote"]["port"] == 443 and e["fd"] == '
EXPECTED = [
    ('A1 httpd accepts', 'tcp_accept', H, 'remote(e, "attacker", "a1_port") and local(e, "server", 80) '
     'and exe(e) == "apache2"'),
    ('A1 the helper has a pipe', 'exec', H, 'e["process"]["pid"] == f["helper"] and '
     'e["input"]["kind"] == "fd_pipe" and e["script"] == "/mi/bin/map-appstore-url"'),
    ('A1 its pipe is written to', 'pipe_write', H, 'e["reader_tgid"] == f["helper"] and '
     'e["ino"] == f["helper_pipe"] and exe(e) == "apache2" and e["lineage"] & 2 and e["written"] > 60'),
    ('A1 a first command', 'exec', H, 'args(e) == ["id"] and f["helper"] in above(e)'),
    ('A2 sleep', 'exec', H, 'args(e) == ["sleep", "5"] and f["helper"] in above(e)'),
    ('A2 nslookup', 'exec', H, 'args(e) == ["nslookup", f["label"] + ".oast.example"]'),
    ('A2 question', 'dns', H, 'e["name"] == f["label"] + ".oast.example" and not e.get("response") '
     'and remote(e, "resolver", 53)'),
    ('A2 answer', 'dns', H, 'e["name"] == f["label"] + ".oast.example" and e.get("response") and '
     'e.get("addresses", f["attacker"]) == f["attacker"]'),
    ('A2 first packet', 'udp_send', H, 'remote(e, "resolver", 53)'),
    ('A3 curl', 'exec', H, 'args(e)[:1] == ["curl"] and args(e)[-1].endswith("/slt")'),
    ('A3 its connection', 'tcp_connect', H, 'local(e, "", "stage_port") and remote(e, "attacker", 80) '
     'and e["result"] == "established"'),
    ('A3 a new program', 'file_open', H, 'same(e, "slt", "/tmp/slt") and e["created"]'),
    ('A3 what it is', 'file_write', H, 'same(e, "slt", "/tmp/slt") and e.get("written", 0) > 0 and '
     '"type" in e'),
    ('A3 its size', 'file_close', H, 'same(e, "slt", "/tmp/slt") and e["written"] == f["slt_size"] == '
     'e["inode"]["size"]'),
    ('A3 made executable', 'file_change', H, 'e["path"] == "/tmp/slt" and e["aspect"] == "mode" and '
     'e["mode"] & 0o111'),
    ('A3 executed when fresh', 'exec', H, 'e["exe"] == "/tmp/slt" and e.get("exe_age", 0) < 60 and '
     'e["exe_inode"]["ino"] == f["slt_ino"] and args(e)[1:] == ["shell", f["attacker"], "443"]'),
    ('A3 connects out', 'tcp_connect', H, 'local(e, "", "shell_port") and remote(e, "attacker", 443) '
     'and e["result"] == "established"'),
    ('A3 the connection is standard input', 'fd_dup', H, SHELL + '0'),
    ('A3 the connection is standard output', 'fd_dup', H, SHELL + '1'),
    ('A3 the connection is standard error', 'fd_dup', H, SHELL + '2'),
    ('A3 a shell on a socket', 'exec', H, 'args(e) == ["sh", "-i"] and all(e[d]["kind"] == "fd_socket" '
     'and e[d]["socket"]["remote_port"] == 443 for d in ("input", "output", "errors"))'),
    ('A3 a command in it', 'exec', H, 'args(e) == ["id"] and e["input"]["kind"] == "fd_socket"'),
    ('A3 how much it said', 'tcp_close', H, 'local(e, "", "shell_port") and e["bytes_sent"] == '
     'f["shell_got"] and e["bytes_received"] == len("id\\nexit\\n")'),
    ('A4 web shell is made', 'file_open', H, 'same(e, "jsp", jsp) and e["created"] and e["tree"] == 1'),
    ('A4 web shell is written', 'file_close', H, 'same(e, "jsp", jsp) and e["written"] == f["jsp_size"] '
     '== e["inode"]["size"]'),
    ('A4 Tomcat reads it', 'file_read', T, 'same(e, "jsp", jsp) and e["recent"] and exe(e) == "java"'),
    ('A4 Jasper writes a class', 'file_close', T, 'e["inode"]["ino"] == f["class_ino"] and '
     'e["written"] == f["class_size"] and exe(e) == "java" and "_403_jsp.class" in e["path"]'),
    ('A4 and gives it its name', 'file_rename', T, 'exe(e) == "java" and '
     'e["path"].endswith("_403_jsp.class")'),
    ('A4 java reads the class', 'file_read', T, 'e["inode"]["ino"] == f["class_ino"] and e["recent"]'),
    ('A5 sh', 'exec', T, 'args(e) == ["/bin/sh", "-c", "/usr/bin/env /bin/sh -p -c \'id\'\\n"]'),
    ('A5 env', 'exec', T, 'args(e) == ["/usr/bin/env", "/bin/sh", "-p", "-c", "id"]'),
    ('A5 sh -p', 'exec', T, 'args(e) == ["/bin/sh", "-p", "-c", "id"]'),
    ('A5 id', 'exec', T, 'args(e) == ["id"] and e["process"]["user"] == "tomcat"'),
    ('A5 cloned with its memory', 'fork', T, 'e["parent_tgid"] == f["tomcat"] and '
     'e["clone_flags"] & 0x4100 == 0x4100'),
    ('A6 secret read', 'file_read', T, 'same(e, "mifpp", "/mi/files/system/.mifpp") and e["tree"] == 2 '
     'and exe(e) == "cat"'),
    ('A6 secret packed', 'file_read', T, 'same(e, "mifpp", "/mi/files/system/.mifpp") and '
     'e["tree"] == 2 and exe(e) == "tar"'),
    ('A6 properties packed', 'file_read', T, 'e["path"] == "/mi/tomcat-properties/mifs.properties" '
     'and e["tree"] == 2 and exe(e) == "tar"'),
    ('A6 the archive', 'file_write', T, 'e["path"] == "/tmp/f.tgz" and e["type"] == "application/gzip"'),
    ('tunnel out', 'tcp_close', T, 'local(e, "", "tunnel_port") and remote(e, "attacker", 7000) and '
     'e["bytes_sent"] == 30000 and e["bytes_received"] == 1000'),
    ('tunnel in', 'tcp_close', T, 'local(e, "", "inner_port") and remote(e, "inner", 389) and '
     'e["bytes_sent"] == 1000 and e["bytes_received"] == 30000'),
    ('A7 mysqldump', 'exec', T, 'args(e)[0] == "mysqldump" and e["exe"] == "/usr/bin/mariadb-dump" and '
     'args(e)[-4:] == ["mifs", "mi_user", "mifs_ldap_users", "mifs_ldap_server_config"]'),
    ('A7 connects', 'unix_connect', T, 'e["path"] == f["dir"] + "/my/sock" and e["peer_tgid"] == '
     'f["mariadb"] and exe(e) == "mariadb-dump"'),
    ('A7 all people', 'db_result', T, 'e["db"]["tables"] == ["mifs.mi_user"] and '
     'e["db"]["rows"] == f["people"] and e["db"]["confidence"] == "exact"'),
    ('A7 all accounts', 'db_result', T, 'e["db"]["tables"] == ["mifs.mifs_ldap_users"] and '
     'e["db"]["rows"] == f["people"] // 2 and e["db"]["confidence"] == "exact"'),
    ('A8 a style sheet is made', 'file_open', T, 'same(e, "css", css) and e["created"] and '
     'e["tree"] == 1'),
    ('A8 with the dump', 'file_close', T, 'same(e, "css", css) and e["written"] == f["css_size"] == '
     'e["inode"]["size"]'),
    ('A8 as many bytes as rows', 'db_result', T, 'e["db"]["tables"] == ["mifs.mi_user"] and '
     'f["css_size"] // 3 < e["db"]["bytes"] < f["css_size"]'),
    ('A8 packed', 'file_write', T, 'same(e, "css2", css2) and exe(e) in ("tar", "gzip") and '
     'e["type"] == "application/gzip"'),
    ('A8 its size', 'file_close', T, 'same(e, "css2", css2) and e["written"] == f["css2_size"]'),
    ('A8 packed again', 'file_close', T, 'e["inode"]["ino"] == f["css3_ino"] and '
     'e["written"] == f["css3_size"]'),
    ('A9 read to be served', 'file_read', T, 'same(e, "css2", css2) and e["recent"] and '
     'exe(e) == "java"'),
    ('A9 sent as a file', 'file_send', T, 'same(e, "css2", css2) and e["local"]["port"] == 8080 and '
     'e["sent"] == f["css2_size"] and e["recent"] and exe(e) == "java"'),
    ('A9 accepted', 'tcp_accept', H, 'remote(e, "attacker", "a9_port") and local(e, "server", 80)'),
    ('A9 sent', 'tcp_close', H, 'remote(e, "attacker", "a9_port") and '
     'f["fetched"] <= e["bytes_sent"] < f["fetched"] + 1000'),
    ('A10 removed', 'file_unlink', T, 'e["path"].endswith("mibasecss.css") and exe(e) == "rm"'),
    ('A10 removed, too', 'file_unlink', T, 'e["path"].endswith("mibasecss2.css") and exe(e) == "rm"'),
    ('A10 removed, third', 'file_unlink', T, 'e["path"].endswith("mibasecss3.css") and exe(e) == "rm"'),
    ('A10 time put back', 'file_change', T, 'e["path"] == jsp and e["aspect"] == "times" and '
     'exe(e) == "touch"'),
    ('A10 log edited', 'file_rename', T, 'e["path"].endswith("https-access_log") and exe(e) == "sed" and '
     'e["tree"] & 4'),
    ('A10 log cut', 'file_open', T, 'e["path"] == log and e["flags"] & %d and e["tree"] == 4'
     % os.O_TRUNC),
    ('A10 log removed', 'file_unlink', T, 'e["path"].endswith("https-access_log") and exe(e) == "rm"'),
    ('before it is fetched: file, rows, lineage', 'finding', ANY, 'staged(e, "staged-file") and '
     'before_fetch(e)'),
    ('one critical finding: file, rows, lineage, peer', 'finding', ANY, 'staged(e, "staged-and-served") '
     'and e["rule"]["level"] == "critical" and e["peer"] == "%s:%d" % (f["attacker"], f["a9_port"])'),
]
# Which rule of the policy speaks of which step.
RULES = [
    ('A1', 'Reconnaissance below a web or application server'),
    ('A2', 'Name with a random label asked for by a web or application server'),
    ('A3', 'Download below a web or application server'),
    ('A3', 'Program executed from a temporary directory within a minute of its making'),
    ('A3', 'Shell whose input and output are one socket'),
    ('A4', 'Server-side script made in a web root'),
    ('A5', 'Shell below a web or application server'),
    ('A6', 'Secret read by a program that has no need of it'),
    ('A7', 'Database dump or client below a web or application server'),
    ('A7', 'Shell below a web server, then a dump of the database'),
    ('A7', 'Bulk read of a watched table in one result'),
    ('A8', 'Archive or dump written to a web root under another name'),
    ('A10', 'Archive in a web root under another name, then removed'),
    ('A10', 'File removed from a web root by a shell command'),
    ('A10', 'Log file emptied as it was opened'),
    ('A10', 'Log file replaced by another'),
    ('A10', 'Log file removed'),
]


def staged(e, rule):
    return (e["rule"]["id"] == "rollcall-db-" + rule and e["path"] == css2 and
            e["rows"] == f["people"] * 3 // 2 and e["principal"].startswith("lineage:/"))


def before_fetch(e):
    return events.index(e) < min(i for i, x in enumerate(events) if x["event"] == "file_read" and
                                 x["path"] == css2 and exe(x) == "java")


def above(e):
    process, pids = e.get('process'), []
    while process:
        pids.append(process['pid'])
        process = process.get('parent')
    return pids


def exe(e):
    return e['process']['exe'].rsplit('/', 1)[-1]


def args(e):
    return e['process'].get('args', [])


def end(endpoint, address, port):
    return (not address or endpoint['address'] == f[address]) and endpoint['port'] == f.get(port, port)


def local(e, address, port):
    return end(e['local'], address, port)


def remote(e, address, port):
    return end(e['remote'], address, port)


def same(e, name, path):
    return e['path'] == path and e['inode']['ino'] == f[name + '_ino']


def holds(condition, e):
    try:
        return bool(eval(condition, {**globals(), 'e': e}))
    except (KeyError, IndexError):  # it has no such field
        return False


def seen(kind, lineage, condition):
    return any(e['event'] == kind and (lineage is None or lineage in above(e)) and holds(condition, e)
               for e in events)


failed = 0
for step, kind, lineage, condition in EXPECTED:
    if not seen(kind, lineage, condition):
        failed += 1
        print(f'FAILED {step}: no {kind} below {lineage} with {condition}')
spoke = {e['rule']['title'] for e in events if e['event'] == 'finding'}
for step, title in RULES:
    if title not in spoke:
        failed += 1
        print(f'FAILED {step}: no finding of the rule "{title}"')
for e in events:
    if e['event'] == 'gap':
        print('note: a gap:', {k: e.get(k) for k in ('lane', 'reason', 'count')})
print(f'{len(EXPECTED) + len(RULES) - failed} passed, {failed} failed')
sys.exit(failed > 0)
