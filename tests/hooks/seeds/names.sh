# See /hooks for the list of valid hook names. (The document does not show the answer.)
curl -u "user:$PASSWORD" -i \
  "$API/hooks"
