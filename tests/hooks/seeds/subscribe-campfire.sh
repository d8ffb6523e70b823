# Send updates to Campfire
curl -u "user:$PASSWORD" -i \
  "$API/hub" \
  -F "hub.mode=subscribe" \
  -F "hub.topic=$SITE/octocat/Hello-World/events/push" \
  -F "hub.callback=socialgateway://campfire?subdomain=socialgateway&room=Commits&token=abc123"
