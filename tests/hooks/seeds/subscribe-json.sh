# Raw JSON by the extension
curl -u "user:$PASSWORD" -i \
  "$API/hub" \
  -F "hub.mode=subscribe" \
  -F "hub.topic=$SITE/octocat/Hello-World/events/push.json" \
  -F "hub.callback=$POSTBIN/123"
