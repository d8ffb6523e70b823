# A successful request with curl
curl -u "user:$PASSWORD" -i \
  "$API/hub" \
  -F "hub.mode=subscribe" \
  -F "hub.topic=$SITE/octocat/Hello-World/events/push" \
  -F "hub.callback=$POSTBIN/123"
