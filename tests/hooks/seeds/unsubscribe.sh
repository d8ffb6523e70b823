# Either subscribe or unsubscribe
curl -u "user:$PASSWORD" -i \
  "$API/hub" \
  -F "hub.mode=unsubscribe" \
  -F "hub.topic=$SITE/octocat/Hello-World/events/push" \
  -F "hub.callback=$POSTBIN/123"
