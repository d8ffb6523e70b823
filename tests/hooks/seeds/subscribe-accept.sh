# Raw JSON by the header
curl -u "user:$PASSWORD" -i \
  -H "Accept: application/json" \
  "$API/hub" \
  -F "hub.mode=subscribe" \
  -F "hub.topic=$SITE/octocat/Hello-World/events/push" \
  -F "hub.callback=$POSTBIN/123"
