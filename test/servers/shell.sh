#!/bin/sh
# A small honest MCP server of the session era in plain POSIX shell: one message a line, built-ins alone.
say() { printf '{"jsonrpc":"2.0","id":%s,%s}\n' "$id" "$1"; }
text() { say "\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"$1\"}]}"; }
schema='"inputSchema":{"type":"object","properties":{},"additionalProperties":false}'
tool() { printf '{"name":"%s","description":"%s",%s}' "$1" "$2" "$schema"; }
while read -r line; do
  id=${line#*'"id":'}
  id=${id%%[,\}]*}
  case $line in
  *'"method":"initialize"'*)
    say '"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"shell","version":"1.0.0"}}' ;;
  *'"method":"tools/list"'*)
    say "\"result\":{\"tools\":[$(tool greet 'Greets as the image says'),$(tool where 'Tells its folder and arguments'),$(tool write 'Tries to write into the image'),$(tool machine 'Looks for files of the machine')]}" ;;
  *'"method":"tools/call"'*'"greet"'*) text "$GREETING" ;;
  *'"method":"tools/call"'*'"where"'*) text "$PWD $* $LD_LIBRARY_PATH $PATH" ;;
  *'"method":"tools/call"'*'"write"'*)
    if (echo x >/srv/data/x) 2>/dev/null; then text written; else text refused; fi ;;
  *'"method":"tools/call"'*'"machine"'*)
    found=$(echo /*)
    text "$found" ;;
  *'"method":"ping"'*) say '"result":{}' ;;
  *'"id":'*) say '"error":{"code":-32601,"message":"no such method"}' ;;
  esac
done
