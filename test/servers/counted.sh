# A small MCP server in plain shell, which starts fast: it writes down every call before it answers, and has a process
# below it. $1 is the log; $2 names all of it, so that what is left of it can be found.
sh -c 'sleep 1000; :' "$2" &
tool='{"name":"echo","description":"Echo a message","inputSchema":{"type":"object","properties":{"message":{"type":"string"}},"required":["message"]}}'
hello='{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"counted","version":"1"}}'
found='{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"counted","version":"1"}}}'
answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$1"; }
while IFS= read -r line; do
  case $line in *'"id":'*) ;; *) continue ;; esac
  id=${line#*\"id\":}
  id=${id%%[,\}]*}
  case $line in
    *'"method":"initialize"'*) answer "$hello" ;;
    *'"method":"server/discover"'*) answer "$found" ;;
    *'"method":"tools/list"'*) answer "{\"tools\":[$tool]}" ;;
    *'"method":"tools/call"'*)
      message=${line#*\"message\":\"}
      message=${message%%\"*}
      printf '%s\n' "$message" >>"$1"
      answer "{\"content\":[{\"type\":\"text\",\"text\":\"$message\"}]}"
      ;;
    *) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"Method not found"}}\n' "$id" ;;
  esac
done
